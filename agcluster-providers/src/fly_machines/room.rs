//! Refusals for want of room. They come with six statuses and many words.

use super::api::Refusal;

/// Where there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// On one host.
    Host,
    /// In a region, as far as the platform tells.
    Region,
    /// In the organisation's quota.
    Quota,
}

/// The statuses with which room is refused.
const STATUSES: [u16; 6] = [400, 403, 409, 412, 422, 503];

/// What the text of a refusal has in it, most telling first.
#[rustfmt::skip]
const TEXTS: [(&str, NoRoom); 11] = [
    ("over the allowed quota", NoRoom::Quota),
    ("machine limit", NoRoom::Quota),
    ("could not reserve resource", NoRoom::Host),
    ("insufficient memory", NoRoom::Host),
    ("insufficient cpus", NoRoom::Host),
    ("insufficient ips", NoRoom::Host),
    ("temporarily disabled", NoRoom::Host),
    ("governor policy blocked", NoRoom::Host),
    ("insufficient resources", NoRoom::Region),
    ("insufficient_capacity", NoRoom::Region),
    ("no capacity", NoRoom::Region),
];

/// Where there is no room, if that is what a refusal is about: by status and text.
pub(super) fn no_room(refusal: &Refusal) -> Option<NoRoom> {
    if !STATUSES.contains(&refusal.status) {
        return None;
    }
    if let Some((_, room)) = TEXTS.iter().find(|(text, _)| refusal.says(text)) {
        return Some(*room);
    }
    let placement = refusal.code.as_deref().is_some_and(|code| code.starts_with("volume_placement"));
    (placement || refusal.is("insufficient_capacity")).then_some(NoRoom::Region)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, text: &str, code: Option<&str>) -> Refusal {
        let code = code.map(str::to_owned);
        Refusal { status, text: text.to_owned(), code, request_id: None, retry_after: None }
    }

    #[test]
    fn a_text_counts_only_with_its_status() {
        let text = "could not reserve resource for machine: insufficient memory available to fulfill request";
        assert_eq!(no_room(&refusal(409, text, None)), Some(NoRoom::Host));
        for status in [401, 404, 408, 429, 500] {
            assert_eq!(no_room(&refusal(status, text, None)), None);
        }
    }

    #[test]
    fn a_name_counts_without_a_text() {
        assert_eq!(no_room(&refusal(422, "sorry", Some("insufficient_capacity"))), Some(NoRoom::Region));
        assert_eq!(no_room(&refusal(412, "sorry", Some("volume_placement_capacity"))), Some(NoRoom::Region));
        assert_eq!(no_room(&refusal(409, "lease currently held", None)), None);
    }
}
