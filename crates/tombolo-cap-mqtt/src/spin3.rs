//! `spin:mqtt/mqtt@3.0.0`: as `fermyon:spin/mqtt@2.0.0`, each call with a promise.

use tombolo_capability::Guest;
use wasmtime::component::{Access, Accessor};

use crate::HasMqtt;
use crate::interfaces::{Called, Handle, types};
use crate::view::Host;

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:mqtt3; world imports { import spin:mqtt/mqtt@3.0.0; }",
        path: ["../../wit/spin-mqtt@3.0.0"],
        world: "tombolo:mqtt3/imports",
        imports: { default: store | trappable },
        with: { "spin:mqtt/mqtt.connection": crate::view::OpenConnection },
    });
}

pub(crate) use generated::spin::mqtt::mqtt;
use mqtt::{Error, Qos};

types!(mqtt);

impl mqtt::Host for Host<'_> {}

impl mqtt::HostConnection for Host<'_> {}

type At<'a> = &'a Accessor<Guest, HasMqtt>;

impl mqtt::HostConnectionWithStore<Guest> for HasMqtt {
    async fn open(
        at: At<'_>,
        address: String,
        user: String,
        password: String,
        keep_alive_s: u64,
    ) -> Called<Handle, Error> {
        let opening = at.with(|mut access| access.get().opening(&address, user, password, keep_alive_s));
        let opening = match opening {
            Ok(opening) => opening,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let opened = opening.open().await;
        Ok(opened.and_then(|open| at.with(|mut access| access.get().push(open))).map_err(Error::from))
    }

    async fn publish(
        at: At<'_>,
        handle: Handle,
        topic: String,
        payload: Vec<u8>,
        qos: Qos,
    ) -> Called<(), Error> {
        // Taken out, so that waiting for the broker holds nothing of the guest.
        let (connection, account) = at.with(|mut access| {
            let host = access.get();
            wasmtime::error::Ok((host.connection(&handle)?, host.account))
        })?;
        Ok(connection.publish(account, topic, payload, qos.into()).await.map_err(Error::from))
    }

    fn drop(mut access: Access<'_, Guest, Self>, handle: Handle) -> wasmtime::Result<()> {
        access.get().close(handle)
    }
}
