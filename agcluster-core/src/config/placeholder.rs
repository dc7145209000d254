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

/// Splits a value into its pieces, in one pass.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut literal = text;
    let mut search = 0;
    while let Some(at) = literal.get(search..).and_then(|rest| rest.find("${")) {
        let start = search + at;
        let (before, opened) = literal.split_at(start);
        match placeholder(opened.get(2..).unwrap_or_default()) {
            Found::Placeholder(piece, after) => {
                if !before.is_empty() {
                    pieces.push(Piece::Literal(before));
                }
                pieces.push(piece);
                literal = after;
                search = 0;
            }
            Found::Text => search = start + 2,
            Found::NeverClosed => break,
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    pieces
}

/// What follows a `${`.
enum Found<'t> {
    /// A placeholder and the text behind it.
    Placeholder(Piece<'t>, &'t str),
    /// Something else.
    Text,
    /// Nothing from here on closes a brace.
    NeverClosed,
}

fn placeholder(inner: &str) -> Found<'_> {
    let end = inner.bytes().position(|b| b != b'_' && !b.is_ascii_alphanumeric()).unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    if !is_variable(name) {
        return Found::Text;
    }
    if let Some(after) = rest.strip_prefix('}') {
        return Found::Placeholder(Piece::Name { name, default: None }, after);
    }
    match rest.strip_prefix(":-").map(|default| default.split_once('}')) {
        None => Found::Text,
        Some(None) => Found::NeverClosed,
        Some(Some((default, after))) => {
            Found::Placeholder(Piece::Name { name, default: Some(default) }, after)
        }
    }
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
