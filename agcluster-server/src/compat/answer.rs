//! A whole answer.

use agcluster_core::journal;
use agcluster_core::protocol::{Event, TurnEnd};
use futures::{Stream, StreamExt};
use std::sync::Arc;

use super::failure;
use super::pieces::{Piece, Pieces};
use crate::Problem;

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// What the agent said.
    Text(String),
    /// What it thought, with the model API's proof of it.
    Thought(String, Option<String>),
    /// What it did.
    Acts(String),
}

/// A whole answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// What it consists of, in order.
    pub(crate) parts: Vec<Part>,
    /// How the turn ended.
    pub(crate) end: Option<TurnEnd>,
}

impl Answer {
    /// Reads a turn to its end; as far as it is, when what there is ends before.
    pub(crate) async fn read(
        mut records: impl Stream<Item = journal::Result<Arc<journal::Record>>> + Unpin,
    ) -> Result<Self, Problem> {
        let (mut answer, mut pieces) = (Self::default(), Pieces::whole());
        while let Some(record) = records.next().await {
            answer.take(&mut pieces, &record?.event);
        }
        Ok(answer)
    }

    /// Reads a turn that ends.
    ///
    /// # Errors
    /// Also when nothing tells its end.
    pub(crate) async fn wait(
        records: impl Stream<Item = journal::Result<Arc<journal::Record>>> + Unpin,
    ) -> Result<(Vec<Part>, TurnEnd), Problem> {
        let answer = Self::read(records).await?;
        Ok((answer.parts, answer.end.ok_or_else(failure::cut_off)?))
    }

    fn take(&mut self, pieces: &mut Pieces, event: &Event) {
        pieces.read(event, |piece| match piece {
            Piece::Gap | Piece::Thoughtful(None) => {}
            Piece::Text(text) => self.parts.push(Part::Text(text.into_owned())),
            Piece::Thought(text) => self.parts.push(Part::Thought(text.into_owned(), None)),
            Piece::Thoughtful(Some(proof)) => {
                if let Some(Part::Thought(_, signature)) = self.parts.last_mut() {
                    *signature = Some(proof.to_owned());
                }
            }
            Piece::Act(act) => match self.parts.last_mut() {
                Some(Part::Acts(acts)) => acts.push_str(&act),
                _ => self.parts.push(Part::Acts(act)),
            },
            Piece::End(end) => self.end = Some(end.clone()),
        });
    }
}

/// What was said, the texts apart by an empty line.
pub(crate) fn text(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n\n")
}

/// What was thought and done.
pub(crate) fn reasoning(parts: &[Part]) -> String {
    let reasons = parts.iter().filter_map(|part| match part {
        Part::Text(_) => None,
        Part::Thought(text, _) => Some(format!("{text}\n\n")),
        Part::Acts(acts) => Some(acts.clone()),
    });
    reasons.collect()
}
