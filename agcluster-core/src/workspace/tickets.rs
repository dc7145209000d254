//! Tickets: what opens one terminal of one session, once, for a short while. A browser cannot send a key with a WebSocket, and
//! should not have to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agcluster_protocol::Secret;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::hex;
use crate::session::{Owner, Session, SessionId};

/// How long a ticket can be used, unless said otherwise.
const LIFETIME: Duration = Duration::from_secs(60);
/// How long it is remembered that there was one, once it can be used no more.
const MEMORY: Duration = Duration::from_secs(10 * 60);
/// The most tickets at a time; the oldest ones go first.
const MOST: usize = 10_000;
/// The most of one session.
const MOST_OF_SESSION: usize = 64;

/// Gives out tickets and takes them. Clones are the same. A ticket's digest is kept, never the ticket.
#[derive(Debug, Clone)]
pub struct Tickets {
    lifetime: Duration,
    known: Arc<Mutex<HashMap<[u8; 32], Entry>>>,
}

impl Default for Tickets {
    fn default() -> Self {
        Self::lasting(LIFETIME)
    }
}

#[derive(Debug, Clone)]
struct Entry {
    place: TicketPlace,
    issued: Instant,
    used: bool,
}

/// What a ticket opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketPlace {
    /// The session.
    pub session: SessionId,
    /// Whose it is.
    pub owner: Owner,
    /// The terminal.
    pub terminal: String,
}

/// A ticket.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// What has to be shown.
    pub token: Secret,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Why a ticket opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// There is none like it.
    #[error("this is no terminal token: ask for one")]
    Unknown,
    /// It was used.
    #[error("the terminal token was used before: ask for another one for each connection")]
    Used,
    /// It is too old.
    #[error("the terminal token has expired: ask for another one, and use it at once")]
    Expired,
    /// It is for another session.
    #[error("the terminal token is for another session")]
    OtherSession,
    /// The system gives no random numbers.
    #[error("no terminal token can be made at the moment: try again")]
    NoRandomness,
}

impl Tickets {
    /// None yet. Each can be used for a minute.
    pub fn new() -> Self {
        Self::default()
    }

    /// None yet. Each can be used for so long; with zero, none ever.
    pub fn lasting(lifetime: Duration) -> Self {
        Self { lifetime, known: Arc::default() }
    }

    /// A new ticket for a terminal.
    ///
    /// # Errors
    /// [`TicketError::NoRandomness`].
    pub fn issue(&self, session: &Session, terminal: &str) -> Result<Ticket, TicketError> {
        let terminal = terminal.to_owned();
        self.issue_for(TicketPlace { session: session.id().clone(), owner: session.owner(), terminal })
    }

    fn issue_for(&self, place: TicketPlace) -> Result<Ticket, TicketError> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|_| TicketError::NoRandomness)?;
        let token = hex(&random);
        let issued = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, entry| issued.duration_since(entry.issued) < self.lifetime + MEMORY);
        let same = |entry: &Entry| entry.place.session == place.session;
        if known.values().filter(|entry| same(entry)).count() >= MOST_OF_SESSION {
            forget_oldest(&mut known, same);
        }
        if known.len() >= MOST {
            forget_oldest(&mut known, |_| true);
        }
        known.insert(digest(&token), Entry { place, issued, used: false });
        let expires_at = Timestamp::now().checked_add(self.lifetime).unwrap_or(Timestamp::MAX);
        Ok(Ticket { token: Secret::new(token), expires_at })
    }

    /// Takes a ticket: it opens nothing afterwards. `session` says which session it has to be for, if that is known otherwise;
    /// shown elsewhere, it is used up all the same.
    ///
    /// # Errors
    /// See [`TicketError`].
    pub fn take(&self, token: &str, session: Option<&SessionId>) -> Result<TicketPlace, TicketError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.get_mut(&digest(token)).ok_or(TicketError::Unknown)?;
        if std::mem::replace(&mut entry.used, true) {
            return Err(TicketError::Used);
        }
        if entry.issued.elapsed() >= self.lifetime {
            return Err(TicketError::Expired);
        }
        if session.is_some_and(|session| *session != entry.place.session) {
            return Err(TicketError::OtherSession);
        }
        Ok(entry.place.clone())
    }
}

fn forget_oldest(known: &mut HashMap<[u8; 32], Entry>, of: impl Fn(&Entry) -> bool) {
    let oldest = known.iter().filter(|(_, entry)| of(entry)).min_by_key(|(_, entry)| entry.issued);
    if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
        known.remove(&oldest);
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(session: &str) -> TicketPlace {
        let session = SessionId::from_text(session);
        TicketPlace { session, owner: Owner::of(&Secret::new("k")), terminal: "main".to_owned() }
    }

    fn issue(tickets: &Tickets, session: &str) -> String {
        tickets.issue_for(place(session)).unwrap().token.expose().to_owned()
    }

    #[test]
    fn a_ticket_opens_its_terminal_once() {
        let tickets = Tickets::new();
        let token = issue(&tickets, "a");
        assert_eq!(tickets.take(&token, None), Ok(place("a")));
        assert_eq!(tickets.take(&token, None), Err(TicketError::Used));
        assert_eq!(tickets.take("anything", None), Err(TicketError::Unknown));
    }

    #[test]
    fn a_ticket_opens_no_other_session_and_is_then_used_up() {
        let tickets = Tickets::new();
        let token = issue(&tickets, "a");
        let other = SessionId::from_text("b");
        assert_eq!(tickets.take(&token, Some(&other)), Err(TicketError::OtherSession));
        assert_eq!(tickets.take(&token, None), Err(TicketError::Used));
    }

    #[tokio::test(start_paused = true)]
    async fn a_ticket_expires_and_is_forgotten() {
        let tickets = Tickets::new();
        let (token, later) = (issue(&tickets, "a"), issue(&tickets, "a"));
        tokio::time::advance(LIFETIME).await;
        assert_eq!(tickets.take(&token, None), Err(TicketError::Expired));
        tokio::time::advance(MEMORY).await;
        issue(&tickets, "b");
        assert_eq!(tickets.take(&later, None), Err(TicketError::Unknown));
    }

    #[test]
    fn there_are_only_so_many_and_a_session_takes_no_others_place() {
        let tickets = Tickets::new();
        let first = issue(&tickets, "a");
        for _ in 0..2 * MOST_OF_SESSION {
            issue(&tickets, "b");
        }
        assert_eq!(tickets.known.lock().unwrap().len(), MOST_OF_SESSION + 1);
        assert!(tickets.take(&first, None).is_ok());
        assert!(!format!("{tickets:?}").contains(&first));
    }
}
