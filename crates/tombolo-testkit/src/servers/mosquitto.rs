//! Mosquitto, a broker of MQTT.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use rumqttc::{Client, Event, Incoming, MqttOptions, QoS};

use super::process::{free_port, listens};

/// How long something is waited for.
const TIME_MAX: Duration = Duration::from_secs(30);

/// A broker of one test; stopped when dropped.
pub struct Mosquitto {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Mosquitto {
    /// A broker that takes anybody.
    pub fn start() -> Self {
        Self::start_with(&["allow_anonymous true"])
    }

    /// A broker that takes `user` with `password` and nobody else.
    pub fn start_for(user: &str, password: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passwords");
        let made =
            Command::new("mosquitto_passwd").arg("-b").arg("-c").arg(&file).args([user, password]).status();
        assert!(made.unwrap().success());
        Self::start_with(&["allow_anonymous false", &format!("password_file {}", file.display())])
    }

    /// A broker with more lines of configuration.
    pub fn start_with(lines: &[&str]) -> Self {
        for _ in 0..5 {
            let mut server = Self::spawn(free_port(), tempfile::tempdir().unwrap(), lines);
            if listens(&mut server.child, server.port) {
                return server;
            }
        }
        panic!("no broker starts: is `mosquitto` installed?");
    }

    fn spawn(port: u16, folder: tempfile::TempDir, lines: &[&str]) -> Self {
        // Started as root, it would become a user who may not read the folder.
        let text = format!("user root\nlistener {port} 127.0.0.1\npersistence false\n{}\n", lines.join("\n"));
        let file = folder.path().join("mosquitto.conf");
        std::fs::write(&file, text).unwrap();
        // Debian keeps it where only root looks by default.
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let mut child = Command::new("mosquitto");
        child.env("PATH", path).arg("-c").arg(&file);
        let child = child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self { child: child.unwrap(), port, folder }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address.
    pub fn address(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Stops it, and starts it again on the same port.
    pub fn restart(&mut self) {
        self.stop();
        let folder = tempfile::tempdir().unwrap();
        let old = std::mem::replace(self, Self::spawn(self.port, folder, &["allow_anonymous true"]));
        drop(old);
        assert!(listens(&mut self.child, self.port), "the broker does not start again");
    }

    /// Stops it at once.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its folder.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Subscribes to a topic, as another client, and is subscribed when this returns.
    pub fn subscribe(&self, topic: &str, login: Option<(&str, &str)>) -> Subscription {
        let mut options = MqttOptions::new(format!("test-{topic}"), "127.0.0.1", self.port);
        if let Some((user, password)) = login {
            options.set_credentials(user, password);
        }
        let (subscribed, waits) = sync_channel(1);
        let (sender, messages) = sync_channel(1024);
        let topic = topic.to_owned();
        // A thread of its own, for the client has a runtime of its own.
        std::thread::spawn(move || {
            let (client, mut connection) = Client::new(options, 16);
            client.subscribe(topic, QoS::ExactlyOnce).unwrap();
            for event in connection.iter().map_while(Result::ok) {
                let told = match event {
                    Event::Incoming(Incoming::SubAck(_)) => subscribed.send(()).is_ok(),
                    Event::Incoming(Incoming::Publish(message)) => {
                        sender.send((message.payload.to_vec(), message.qos as u8)).is_ok()
                    }
                    _ => true,
                };
                if !told {
                    return;
                }
            }
        });
        waits.recv_timeout(TIME_MAX).expect("the broker takes a subscription");
        Subscription(messages)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What comes at a topic.
pub struct Subscription(Receiver<(Vec<u8>, u8)>);

impl Subscription {
    /// The next message, and the quality of service it came with.
    pub fn next(&self) -> (Vec<u8>, u8) {
        self.0.recv_timeout(TIME_MAX).expect("a message in time")
    }
}
