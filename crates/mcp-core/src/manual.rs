//! The manual page of a server.

use clap_mangen::Man;
use roff::{Roff, bold, roman};
use std::io;

/// Returns the page for man(1), in the language roff. It describes the commands itself, because a command has no page
/// of its own: `call TOOL --help` and the reference describe the tools.
pub(crate) fn page(command: clap::Command) -> io::Result<String> {
    let mut commands = Roff::new();
    commands.control("SH", ["COMMANDS"]);
    for sub in command.get_subcommands() {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        commands.control("TP", []).text([bold(sub.get_name())]).text([roman(about)]);
    }
    let man = Man::new(command.disable_help_subcommand(true));
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    commands.to_writer(&mut text)?;
    man.render_options_section(&mut text)?;
    String::from_utf8(text).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::page;
    use clap::{Arg, Command};

    #[test]
    fn a_page_describes_the_commands_and_the_options() {
        let option = Arg::new("bundle").long("bundle").help("Read a bundle.");
        let sub = Command::new("coverage").about("List the data.");
        let text = page(Command::new("server").about("Answers.").arg(option).subcommand(sub)).unwrap();
        let parts =
            ["SH NAME\nserver", ".SH COMMANDS\n.TP\n\\fBcoverage\\fR\nList the data.", "\\-\\-bundle\\fR"];
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
        // A page that does not exist is not named.
        assert!(!text.contains("(1)\n"), "{text}");
    }
}
