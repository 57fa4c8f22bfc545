//! Commands as bytes.

/// A command with its arguments, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    bytes: Vec<u8>,
    /// Name and arguments so far.
    parts: usize,
}

impl Command {
    /// A command without arguments.
    pub fn new(name: &str) -> Self {
        Self { bytes: Vec::new(), parts: 0 }.arg(name)
    }

    /// With one argument more.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<[u8]>) -> Self {
        let argument = argument.as_ref();
        self.bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        self.bytes.extend_from_slice(argument);
        self.bytes.extend_from_slice(b"\r\n");
        self.parts += 1;
        self
    }

    /// With more arguments.
    #[must_use]
    pub fn args<T: AsRef<[u8]>>(self, arguments: impl IntoIterator<Item = T>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// How many bytes name and arguments take, about.
    pub fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// What stands before the name, and the rest.
    pub(crate) fn encoded(&self) -> (String, &[u8]) {
        (format!("*{}\r\n", self.parts), &self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_an_array_of_its_parts() {
        let (head, rest) = Command::new("SET").arg("k").args([b"\r\n".as_slice()]).encoded_whole();
        assert_eq!(
            (head.as_str(), rest.as_slice()),
            ("*3\r\n", b"$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n".as_slice())
        );
    }

    impl Command {
        fn encoded_whole(&self) -> (String, Vec<u8>) {
            let (head, rest) = self.encoded();
            (head, rest.to_vec())
        }
    }
}
