//! Real servers, as Debian packages them: each on a port of its own, with its data in a folder that is gone after
//! the test. Where Debian has none, [`service`] speaks the protocol; what no
//! server says, [`scripted`] does.

pub mod mosquitto;
pub mod mysql;
pub mod postgres;
mod process;
pub mod redis;
pub mod registry;
pub mod scripted;
pub mod service;
