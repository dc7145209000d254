//! An event of an agent server: what is read is written so that it is read the same again.
#![no_main]

use agcluster_protocol::Event;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(event) = serde_json::from_slice::<Event>(data) else { return };
    // What says its own type twice is made up one's mind about by the first reading.
    let event = rewritten(&event);
    assert_eq!(rewritten(&event), event);
});

fn rewritten(event: &Event) -> Event {
    let written = serde_json::to_vec(event).expect("an event can be written");
    serde_json::from_slice(&written).expect("what was written can be read")
}
