//! `${NAME}` and `${NAME:-default}` in the values of a configuration.

use super::names::is_variable;

/// A piece of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// Stands for itself. A `$` that starts no placeholder does too.
    Literal(&'t str),
    /// Stands for a value that is given at launch.
    Name { name: &'t str, default: Option<&'t str> },
}

/// Splits a value into its pieces.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut literal = text;
    let mut search = 0;
    while let Some(at) = literal.get(search..).and_then(|rest| rest.find("${")) {
        let start = search + at;
        let (before, tail) = literal.split_at(start);
        let Some((inner, after)) = tail.get(2..).and_then(|inner| inner.split_once('}')) else { break };
        let (name, default) =
            inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
        if is_variable(name) {
            if !before.is_empty() {
                pieces.push(Piece::Literal(before));
            }
            pieces.push(Piece::Name { name, default });
            literal = after;
            search = 0;
        } else {
            search = start + 2;
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    pieces
}

/// The names a value asks for.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).into_iter().filter_map(|piece| match piece {
        Piece::Name { name, .. } => Some(name),
        Piece::Literal(_) => None,
    })
}

/// The value with everything filled in, or the first name that has neither a value nor a default.
pub(super) fn expand<'t, 'v>(
    text: &'t str,
    value_of: impl Fn(&str) -> Option<&'v str>,
) -> Result<String, &'t str> {
    let mut expanded = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Literal(literal) => expanded.push_str(literal),
            Piece::Name { name, default } => match (value_of(name), default) {
                (Some(value), _) => expanded.push_str(value),
                (None, Some(default)) => expanded.push_str(default),
                (None, None) => return Err(name),
            },
        }
    }
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn only_x(name: &str) -> Option<&'static str> {
        (name == "X").then_some("1")
    }

    #[test]
    fn fills_in_values_and_defaults() {
        assert_eq!(expand("a ${X} ${Y:-2}${Y:-}", only_x), Ok("a 1 2".into()));
        assert_eq!(expand("${X:-3}", only_x), Ok("1".into()));
        assert_eq!(expand("Bearer ${Y} ${Z}", only_x), Err("Y"));
    }

    #[test]
    fn what_is_no_placeholder_stays() {
        for text in ["$X", "${", "${}", "${1X}", "$${", "${X", "a}b", "${ X }", ""] {
            assert_eq!(expand(text, only_x), Ok(text.into()), "{text}");
        }
        assert_eq!(expand("${1}${X}", only_x), Ok("${1}1".into()));
    }

    #[test]
    fn a_value_is_never_expanded_again() {
        let value_of = |_: &str| Some("${X}");
        assert_eq!(expand("${X}", value_of), Ok("${X}".into()));
    }

    proptest! {
        #[test]
        fn pieces_lose_nothing(text in "[${}a:\\-X_é]{0,40}") {
            let joined: String = pieces(&text).into_iter().map(|piece| match piece {
                Piece::Literal(literal) => literal.to_owned(),
                Piece::Name { name, default: None } => format!("${{{name}}}"),
                Piece::Name { name, default: Some(default) } => format!("${{{name}:-{default}}}"),
            }).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
