//! `[[trigger.redis]]`: which messages go to which component.

use super::ManifestError;
use super::fields::Fields;
use super::read::{Components, required, trigger_component};
use super::variables::Variables;
use crate::app::RedisTrigger;

/// `[application.trigger.redis] address`, which is that of every trigger without one of its own.
pub(super) fn address(
    application: &Fields<'_>,
    variables: &Variables<'_>,
) -> Result<Option<String>, ManifestError> {
    let Some(triggers) = application.table("trigger")? else { return Ok(None) };
    let Some(redis) = triggers.table("redis")? else { return Ok(None) };
    let address = redis.text("address")?;
    redis.done()?;
    address.map(|text| variables.filled(&redis, text.value, text.span)).transpose()
}

/// Every `[[trigger.redis]]` among `kinds`, the triggers of all kinds; inline components are numbered from
/// `first`.
pub(super) fn triggers(
    kinds: &Fields<'_>,
    address: Option<&str>,
    first: usize,
    components: &mut Components<'_>,
) -> Result<Vec<RedisTrigger>, ManifestError> {
    let mut found = Vec::new();
    for (number, fields) in kinds.tables("redis")?.into_iter().enumerate() {
        fields.ignore(&["id", "components"]);
        let channel = required(&fields, "channel", "the channel whose messages it gets")?;
        let channel = components.variables.filled(&fields, channel.value, channel.span)?;
        let address = match fields.text("address")? {
            Some(own) => components.variables.filled(&fields, own.value, own.span)?,
            None => address.map(str::to_owned).ok_or_else(|| {
                let expected = "`redis://host:port`, here or in `[application.trigger.redis]`";
                fields.missing("address", expected)
            })?,
        };
        let component = trigger_component(&fields, first + number, components)?;
        fields.done()?;
        found.push(RedisTrigger { address, channel, component });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use crate::manifest::parse;

    fn read(redis: &str) -> Result<Vec<String>, String> {
        let text = format!(
            "spin_manifest_version = 2\n[application]\nname = \"app\"\n{redis}\n[variables]\n\
             host = {{ default = \"cache\" }}\n[component.a]\nsource = \"a.wasm\"\n"
        );
        let app = parse("spin.toml", &text, &std::collections::BTreeMap::new())
            .map_err(|error| error.to_string())?;
        let text = |it: &super::RedisTrigger| format!("{} {} {}", it.address, it.channel, it.component);
        Ok(app.redis_triggers.iter().map(text).collect())
    }

    #[test]
    fn a_trigger_has_the_address_of_the_app_or_its_own() {
        let text = "[application.trigger.redis]\naddress = \"redis://{{ host }}:1\"\n\
            [[trigger.redis]]\nid = \"x\"\nchannel = \"on-{{ host }}\"\ncomponent = \"a\"\n\
            [[trigger.redis]]\nchannel = \"b\"\naddress = \"rediss://{{ host }}/2\"\ncomponent = \"a\"\n\
            [[trigger.redis]]\nchannel = \"c\"\ncomponent = { source = \"b.wasm\" }";
        let expected = ["redis://cache:1 on-cache a", "rediss://cache/2 b a", "redis://cache:1 c inline-2"];
        assert_eq!(read(text).unwrap(), expected);
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn what_is_missing_is_named() {
        let refused = read("[[trigger.redis]]\nchannel = \"c\"\ncomponent = \"a\"").unwrap_err();
        assert!(refused.contains("`[trigger.redis]` has no `address`"), "{refused}");
        let refused = read("[[trigger.redis]]\naddress = \"redis://a\"\ncomponent = \"a\"").unwrap_err();
        assert!(refused.contains("has no `channel`"), "{refused}");
        let refused = read("[application.trigger.redis]\nadress = \"redis://a\"\n").unwrap_err();
        assert!(refused.contains("unknown field `adress`"), "{refused}");
        let refused = read("[[trigger.redis]]\naddress = \"{{ x }}\"\nchannel = \"c\"\ncomponent = \"a\"");
        assert!(refused.unwrap_err().contains("names no variable"));
    }
}
