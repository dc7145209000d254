//! What a user probably meant.

/// The longest word that is worth a comparison.
const MAX_WORD: usize = 40;

/// ``; did you mean `x`?`` when one of the known words differs from this one in case or by at most two letters,
/// otherwise nothing.
pub(super) fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    if word.len() > MAX_WORD {
        return String::new();
    }
    let folded = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (distance(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 2 && *distance < candidate.len().div_ceil(2))
        .min()
        .map(|(_, candidate)| format!("; did you mean `{candidate}`?"))
        .unwrap_or_default()
}

/// The number of letters to add, remove or change (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let above = *cell;
            left = (diagonal + usize::from(x != *y)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_letters() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn suggests_what_is_near_and_nothing_else() {
        let known = ["Bash", "Read", "max_turns"];
        assert_eq!(did_you_mean("bash", known), "; did you mean `Bash`?");
        assert_eq!(did_you_mean("max_turn", known), "; did you mean `max_turns`?");
        assert_eq!(did_you_mean("zzzz", known), "");
        assert_eq!(did_you_mean(&"B".repeat(1000), known), "");
    }
}
