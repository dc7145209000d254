//! How tokens are written by people and sent to the platform.

use agcluster_core::protocol::Secret;

/// What the parts of a newer token begin with.
const MACAROONS: [&str; 3] = ["fm2_", "fm1r_", "fm1a_"];
/// What people paste before a token, in any case and any number.
const SCHEMES: [&str; 2] = ["bearer", "flyv1"];

/// The `Authorization` header for a token as it was pasted; `None` when there is no token in it.
pub(super) fn authorization(token: &Secret) -> Option<Secret> {
    let token = without_scheme(token.expose());
    let parts = || token.split(',').map(without_scheme).filter(|part| !part.is_empty());
    let macaroons: Vec<_> =
        parts().filter(|part| MACAROONS.iter().any(|prefix| part.starts_with(prefix))).collect();
    if !macaroons.is_empty() {
        return Some(Secret::new(format!("FlyV1 {}", macaroons.join(","))));
    }
    let has_token = parts().next().is_some() && token.bytes().all(|byte| byte.is_ascii_graphic());
    has_token.then(|| Secret::new(format!("Bearer {token}")))
}

fn without_scheme(text: &str) -> &str {
    let text = text.trim();
    for scheme in SCHEMES {
        if let Some((head, rest)) = text.split_at_checked(scheme.len())
            && head.eq_ignore_ascii_case(scheme)
            && (rest.is_empty() || rest.starts_with(char::is_whitespace))
        {
            return without_scheme(rest);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(token: &str) -> Option<String> {
        authorization(&Secret::new(token)).map(|header| header.expose().to_owned())
    }

    #[test]
    fn newer_tokens_are_sent_as_fly_wants_them_however_they_were_pasted() {
        let expected = Some("FlyV1 fm2_abc,fm1r_def".to_owned());
        for pasted in [
            "fm2_abc,fm1r_def",
            "FlyV1 fm2_abc,fm1r_def",
            "Bearer FlyV1 fm2_abc,fm1r_def",
            "flyv1 FLYV1 bearer fm2_abc, fm1r_def\n",
            "fm2_abc,FlyV1 fm1r_def,",
            "an-older-one,fm2_abc,fm1r_def",
        ] {
            assert_eq!(sent(pasted), expected, "{pasted}");
        }
    }

    #[test]
    fn older_tokens_are_sent_as_bearer() {
        for pasted in ["abc_def", "Bearer abc_def", " FlyV1 abc_def "] {
            assert_eq!(sent(pasted), Some("Bearer abc_def".to_owned()), "{pasted}");
        }
    }

    #[test]
    fn what_is_no_token_is_not_sent() {
        for pasted in ["", " ", "Bearer ", "FlyV1 ,", "two words", "line\nbreak"] {
            assert_eq!(sent(pasted), None, "{pasted:?}");
        }
    }
}
