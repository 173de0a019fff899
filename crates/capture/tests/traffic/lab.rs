//! Network namespaces with real traffic between them.
//!
//! `client` and `server` are joined by `router`: 10.77.1.1 - 10.77.1.2 (`toclient`), 10.77.2.2 (`toserver`) -
//! 10.77.2.1. The names of the namespaces have the number of this process, and they go when the value goes.

use std::{
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// Three network namespaces.
pub(crate) struct Lab {
    prefix: String,
    directory: PathBuf,
}

/// Starts a program.
pub(crate) fn command(program: &str) -> Command {
    #[expect(clippy::disallowed_methods, reason = "a test makes traffic and asks the real programs")]
    Command::new(program)
}

/// Runs a program to its end, which must be a success.
pub(crate) fn run(line: &str) -> String {
    let mut words = line.split_whitespace();
    let mut command = command(words.next().expect("a program"));
    text(line, command.args(words).output().unwrap_or_else(|error| panic!("{line}: {error}")))
}

fn text(name: &str, output: Output) -> String {
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A program that runs in a namespace and ends with this value.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A capture, which ends with [`Capture::stop`].
pub(crate) struct Capture {
    child: Running,
    pub(crate) file: PathBuf,
}

impl Capture {
    /// Ends the capture as an operator does, so that tcpdump writes all packets. Returns what tcpdump says.
    pub(crate) fn stop(mut self) -> (PathBuf, String) {
        // The kernel hands packets to tcpdump with a delay.
        std::thread::sleep(Duration::from_millis(1500));
        run(&format!("kill -INT {}", self.child.0.id()));
        self.child.0.wait().expect("tcpdump ends");
        let messages = std::fs::read_to_string(self.file.with_extension("err")).expect("messages");
        (self.file.clone(), messages)
    }
}

impl Lab {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("capture-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(&prefix);
        std::fs::create_dir_all(&directory).expect("a directory");
        let lab = Self { prefix, directory };
        for name in ["client", "router", "server"] {
            run(&format!("ip netns add {}", lab.namespace(name)));
            lab.inside(name, "ip link set lo up");
        }
        let [client, router, server] = ["client", "router", "server"].map(|name| lab.namespace(name));
        run(&format!("ip -n {router} link add toclient type veth peer name eth0 netns {client}"));
        run(&format!("ip -n {router} link add toserver type veth peer name eth0 netns {server}"));
        for (name, device, address) in [
            ("client", "eth0", "10.77.1.1/24"),
            ("router", "toclient", "10.77.1.2/24"),
            ("router", "toserver", "10.77.2.2/24"),
            ("server", "eth0", "10.77.2.1/24"),
        ] {
            // Real segments of the size of a frame, as on a wire, instead of those of segmentation offload.
            lab.inside(name, &format!("ip link set {device} gso_max_segs 1 gso_max_size 1500"));
            lab.inside(name, &format!("ip address add {address} dev {device}"));
            lab.inside(name, &format!("ip link set {device} up"));
        }
        lab.inside("client", "ip route add default via 10.77.1.2");
        lab.inside("server", "ip route add default via 10.77.2.2");
        let forward =
            lab.python("router", "open('/proc/sys/net/ipv4/ip_forward', 'w').write('1')").wait_with_output();
        text("forwarding", forward.expect("python3"));
        lab
    }

    fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// Runs a program in a namespace to its end.
    pub(crate) fn inside(&self, name: &str, line: &str) -> String {
        run(&format!("ip netns exec {} {line}", self.namespace(name)))
    }

    /// Adds a chain with one rule to the router. `hook` is its type, its hook and its priority.
    pub(crate) fn rule(&self, hook: &str, rule: &str) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let table = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let rules = format!("table ip {table} {{\nchain c {{\ntype {hook};\n{rule}\n}}\n}}\n");
        let mut nft = command("ip");
        nft.args(["netns", "exec", &self.namespace("router"), "nft", &rules]);
        text(&rules, nft.output().expect("nft(8)"));
    }

    fn python(&self, name: &str, program: &str) -> Child {
        command("ip")
            .args(["netns", "exec", &self.namespace(name), "python3", "-c", program])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python3")
    }

    /// Runs a Python program in the namespace to its end, and returns its output.
    pub(crate) fn send(&self, name: &str, program: &str) -> String {
        text(program, self.python(name, program).wait_with_output().expect("python3"))
    }

    /// Starts a Python program that serves until the value goes. It must print a line when it is ready.
    pub(crate) fn serve(&self, name: &str, program: &str) -> Running {
        use std::io::{BufRead as _, BufReader};
        let mut child = self.python(name, program);
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let running = Running(child);
        assert!(!line.is_empty(), "a server does not start");
        running
    }

    /// Starts tcpdump on a device of a namespace.
    pub(crate) fn capture(&self, name: &str, device: &str) -> Capture {
        let file = self.directory.join(format!("{name}-{device}.pcap"));
        let messages = file.with_extension("err");
        let child = command("ip")
            .args([
                "netns",
                "exec",
                &self.namespace(name),
                "tcpdump",
                "-Z",
                "root",
                "-n",
                "-U",
                "-i",
                device,
                "-w",
            ])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&messages).expect("a file"))
            .spawn()
            .expect("tcpdump(8)");
        let child = Running(child);
        let deadline = Instant::now() + Duration::from_secs(30);
        while !std::fs::read_to_string(&messages).is_ok_and(|text| text.contains("listening on")) {
            assert!(Instant::now() < deadline, "tcpdump does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Capture { child, file }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in ["client", "router", "server"] {
            let _ = command("ip").args(["netns", "delete", &self.namespace(name)]).output();
        }
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}
