//! `fermyon:spin/mqtt@2.0.0`.

use crate::interfaces::{Called, Handle, types};
use crate::view::Host;

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:mqtt2; world imports { import fermyon:spin/mqtt@2.0.0; }",
        path: ["../../wit/fermyon-spin@2.0.0"],
        world: "tombolo:mqtt2/imports",
        imports: { default: async | trappable },
        with: { "fermyon:spin/mqtt.connection": crate::view::OpenConnection },
    });
}

pub(crate) use generated::fermyon::spin::mqtt;
use mqtt::{Error, Qos};

types!(mqtt);

impl mqtt::Host for Host<'_> {}

impl mqtt::HostConnection for Host<'_> {
    async fn open(
        &mut self,
        address: String,
        user: String,
        password: String,
        keep_alive_s: u64,
    ) -> Called<Handle, Error> {
        let opening = match self.opening(&address, user, password, keep_alive_s) {
            Ok(opening) => opening,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let opened = opening.open().await.and_then(|open| self.push(open));
        Ok(opened.map_err(Error::from))
    }

    async fn publish(
        &mut self,
        handle: Handle,
        topic: String,
        payload: Vec<u8>,
        qos: Qos,
    ) -> Called<(), Error> {
        let connection = self.connection(&handle)?;
        let published = connection.publish(self.account.clone(), topic, payload, qos.into()).await;
        Ok(published.map_err(Error::from))
    }

    async fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        self.close(handle)
    }
}
