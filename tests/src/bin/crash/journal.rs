//! Whether a journal is what it must be: every event once and in order, every turn once with one end.

use std::collections::BTreeMap;

use serde_json::Value;

use super::asked::{self, Asked};
use super::findings::{Fault, Findings};
use super::options::Agent;

/// What a journal has of one turn.
#[derive(Debug, Default)]
struct Seen<'a> {
    started: u32,
    prompt: String,
    ended: Vec<&'a Value>,
    after_end: u32,
    /// What was said of messages that are whole.
    deltas: String,
    /// What was said of one that is not, or not yet.
    unfinished: String,
    text: String,
}

impl Seen<'_> {
    /// Everything that was said and counts.
    fn said(&self) -> String {
        format!("{}{}", self.deltas, self.unfinished)
    }
}

/// Looks at a whole journal, of which `probe` is the last turn.
pub(crate) fn check(
    agent: Agent,
    session: &str,
    events: &[Value],
    asked: &[Asked],
    probe: &str,
    findings: &mut Findings,
) {
    findings.events += events.len() as u64;
    for (expected, event) in (1..).zip(events) {
        if event["seq"].as_u64() != Some(expected) {
            findings.fault(Fault::Lost, format!("{session}: event {expected} is {event}"));
            break;
        }
    }
    let turns = turns(events);
    for (turn, seen) in &turns {
        one_life(session, turn, seen, findings);
    }
    for asked in asked {
        as_asked(session, asked, &turns, findings);
    }
    let strange: Vec<_> = turns
        .iter()
        .filter(|(turn, seen)| {
            seen.started > 0 && **turn != probe && !seen.prompt.is_empty() && !is_known(seen, asked)
        })
        .map(|(turn, _)| *turn)
        .collect();
    if !strange.is_empty() {
        findings.fault(Fault::Duplicated, format!("{session}: nobody asked for {}", strange.join(", ")));
    }
    let of_probe = events.iter().filter(|event| event["turn"] == probe);
    own_memory(session, asked, &turns, &asked::done(agent, of_probe), findings);
}

fn is_known(seen: &Seen<'_>, asked: &[Asked]) -> bool {
    seen.prompt == PROBE || asked.iter().any(|asked| seen.prompt == asked.prompt)
}

/// Stands for the prompts of probes.
const PROBE: &str = "probe";

fn turns(events: &[Value]) -> BTreeMap<&str, Seen<'_>> {
    let mut turns: BTreeMap<&str, Seen<'_>> = BTreeMap::new();
    for event in events {
        let Some(turn) = event["turn"].as_str() else { continue };
        let seen = turns.entry(turn).or_default();
        if !seen.ended.is_empty() {
            seen.after_end += 1;
        }
        match event["type"].as_str() {
            Some("turn_started") => {
                seen.started += 1;
                let prompt = event["prompt"][0]["text"].as_str().unwrap_or_default();
                let is_probe = [Agent::Scripted, Agent::Claude].map(asked::probe).contains(&prompt);
                seen.prompt = if is_probe { PROBE.to_owned() } else { prompt.to_owned() };
            }
            Some("turn_ended") => {
                seen.after_end = 0;
                seen.ended.push(event);
            }
            // A program that loses the model in the middle of a message asks for all of it again.
            Some("message_started") => seen.unfinished.clear(),
            Some("text_delta") => seen.unfinished += event["text"].as_str().unwrap_or_default(),
            Some("text") => {
                seen.deltas += &std::mem::take(&mut seen.unfinished);
                seen.text += event["text"].as_str().unwrap_or_default();
            }
            _ => {}
        }
    }
    turns
}

/// A turn begins once, ends once, and nothing of it follows.
fn one_life(session: &str, turn: &str, seen: &Seen<'_>, findings: &mut Findings) {
    if seen.started > 1 {
        findings.fault(Fault::Duplicated, format!("{session}: {turn} began {} times", seen.started));
    }
    match seen.ended.len() {
        1 => {}
        0 => findings.fault(Fault::Lost, format!("{session}: {turn} has no end")),
        many => findings.fault(Fault::Duplicated, format!("{session}: {turn} ended {many} times")),
    }
    if seen.after_end > 0 {
        findings.fault(Fault::Duplicated, format!("{session}: {turn} went on after its end"));
    }
    // One that was promised and never begun has an end that says so.
    if seen.started == 0 && seen.ended.iter().any(|end| end["outcome"] != "failed") {
        findings.fault(Fault::Lost, format!("{session}: the beginning of {turn}"));
    }
}

/// A turn has exactly what it was asked for; one that was cut off, the beginning of it.
fn as_asked(session: &str, asked: &Asked, turns: &BTreeMap<&str, Seen<'_>>, findings: &mut Findings) {
    let marker = &asked.marker;
    let runs: Vec<_> = turns.values().filter(|seen| seen.prompt == asked.prompt).collect();
    if runs.len() > 1 {
        findings.fault(Fault::Duplicated, format!("{session}: {marker} ran {} times", runs.len()));
    }
    let Some(turn) = &asked.turn else { return };
    let Some(seen) = turns.get(turn.as_str()) else {
        findings.fault(Fault::Lost, format!("{session}: {turn} ({marker}) is not in the journal"));
        return;
    };
    let Some(end) = seen.ended.first() else { return };
    if end["outcome"] == "completed" {
        for (what, has) in [("deltas", &seen.said()), ("text", &seen.text)] {
            if *has != asked.says {
                let fault = if has.len() > asked.says.len() { Fault::Duplicated } else { Fault::Lost };
                findings.fault(fault, format!("{session}: the {what} of {turn} ({marker}) are {has:?}"));
            }
        }
    } else if !asked.may_be_cut {
        findings.fault(Fault::Lost, format!("{session}: {turn} ({marker}) was not completed: {end}"));
    } else if !asked.says.starts_with(&seen.said()) {
        findings.fault(Fault::Duplicated, format!("{session}: {turn} ({marker}) said {:?}", seen.said()));
    }
}

/// The agent itself did everything once.
fn own_memory(
    session: &str,
    asked: &[Asked],
    turns: &BTreeMap<&str, Seen<'_>>,
    done: &[String],
    findings: &mut Findings,
) {
    for asked in asked {
        let marker = &asked.marker;
        let times = done.iter().filter(|done| first_line(done).rsplit(' ').next() == Some(marker)).count();
        let ended = asked.turn.as_ref().and_then(|turn| turns.get(turn.as_str())?.ended.first());
        let is_complete = ended.is_some_and(|end| end["outcome"] == "completed");
        if times > 1 {
            findings.fault(Fault::Duplicated, format!("{session}: the agent did {marker} {times} times"));
        }
        if times == 0 && is_complete {
            findings.fault(Fault::Lost, format!("{session}: the agent knows nothing of {marker}: {done:?}"));
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked() -> Asked {
        Asked {
            marker: "m1".to_owned(),
            prompt: "turn m1\n@@say m1.0 m1.1".to_owned(),
            says: "m1.0 m1.1".to_owned(),
            turn: Some("t1".to_owned()),
            may_be_cut: false,
        }
    }

    /// A journal of one turn and a probe, with something done to it.
    fn found(change: impl FnOnce(&mut Vec<Value>)) -> String {
        let mut events = vec![
            json!({"type": "turn_started", "turn": "t1", "prompt": [{"type": "text", "text": "turn m1\n@@say m1.0 m1.1"}]}),
            json!({"type": "text_delta", "turn": "t1", "text": "m1.0 "}),
            json!({"type": "text_delta", "turn": "t1", "text": "m1.1"}),
            json!({"type": "text", "turn": "t1", "text": "m1.0 m1.1"}),
            json!({"type": "turn_ended", "turn": "t1", "outcome": "completed"}),
            json!({"type": "turn_started", "turn": "t2", "prompt": [{"type": "text", "text": "@@recall"}]}),
            json!({"type": "text", "turn": "t2", "text": "[\"turn m1\\n@@say m1.0 m1.1\"]"}),
            json!({"type": "turn_ended", "turn": "t2", "outcome": "completed"}),
        ];
        for (seq, event) in (1..).zip(&mut events) {
            event["seq"] = json!(seq);
        }
        change(&mut events);
        let mut findings = Findings::default();
        check(Agent::Scripted, "s", &events, &[asked()], "t2", &mut findings);
        findings.faults().collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_good_journal_has_no_fault() {
        assert_eq!(found(|_| ()), "");
    }

    #[test]
    fn a_message_that_broke_off_and_was_begun_anew_counts_once() {
        let begun = json!({"type": "message_started", "turn": "t1"});
        let anew = |events: &mut Vec<Value>| {
            events.splice(2..2, [begun.clone(), events[1].clone()]);
            (1..).zip(events).for_each(|(seq, event)| event["seq"] = json!(seq));
        };
        assert_eq!(found(anew), "");
    }

    #[test]
    fn what_is_missing_or_doubled_is_found() {
        assert!(found(|events| drop(events.remove(2))).starts_with("lost: s: event 3"));
        let doubled = found(|events| events.insert(2, events[1].clone()));
        assert!(
            doubled.contains("lost: s: event 3") && doubled.contains("duplicated: s: the deltas"),
            "{doubled}"
        );
        assert!(found(|events| events[4]["type"] = "notice".into()).contains("t1 has no end"));
        assert!(
            found(|events| events[3] =
                json!({"seq": 4, "type": "turn_ended", "turn": "t1", "outcome": "completed"}))
            .contains("ended 2 times")
        );
        assert!(found(|events| events[4]["outcome"] = "failed".into()).contains("was not completed"));
        assert!(found(|events| events[6]["text"] = "[]".into()).contains("knows nothing of m1"));
        assert!(
            found(|events| events[6]["text"] = "[\"turn m1\",\"turn m1\"]".into()).contains("did m1 2 times")
        );
        assert!(
            found(|events| events[0]["prompt"][0]["text"] = "other".into()).contains("nobody asked for t1")
        );
    }
}
