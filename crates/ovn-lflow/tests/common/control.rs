//! The control socket of a daemon of Open vSwitch or OVN, which uses the JSON-RPC of ovs-appctl(8).

use std::{
    error::Error,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
};

/// A connection to the control socket.
pub(crate) struct Control(UnixStream);

impl Control {
    pub(crate) fn connect(socket: &Path) -> Result<Self, Box<dyn Error>> {
        let stream = UnixStream::connect(socket).map_err(|error| format!("{}: {error}", socket.display()))?;
        Ok(Self(stream))
    }

    /// Runs a command of the daemon and returns its output.
    pub(crate) fn call(&mut self, method: &str, params: &[&str]) -> Result<String, Box<dyn Error>> {
        let request = serde_json::json!({ "id": 0, "method": method, "params": params });
        self.0.write_all(request.to_string().as_bytes())?;
        let mut reply = Vec::new();
        let mut part = [0; 65536];
        loop {
            let length = self.0.read(&mut part)?;
            reply.extend_from_slice(part.get(..length).unwrap_or_default());
            match serde_json::from_slice::<serde_json::Value>(&reply) {
                Ok(reply) => {
                    let result = reply.get("result").and_then(serde_json::Value::as_str);
                    return Ok(result.ok_or_else(|| reply.to_string())?.to_owned());
                }
                Err(e) if e.is_eof() && length > 0 => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}
