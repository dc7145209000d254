//! Typed reading of a tree that notes every problem and goes on.
//!
//! Each reading method answers `None` both for what is absent and for what is wrong; the wrong has been noted, and
//! the document as a whole is refused when anything was.

use std::collections::BTreeMap;
use std::fmt;

use super::node::{Entry, Kind, Node};
use super::path::{FieldPath, quoted};
use super::problem::{FieldProblem, MAX_PROBLEMS, Position};
use super::suggest::did_you_mean;

/// A value of the document with its path.
#[derive(Debug, Clone)]
pub(super) struct Field<'n> {
    pub(super) path: FieldPath,
    pub(super) node: &'n Node,
}

/// A mapping of the document with its path.
#[derive(Debug)]
pub(super) struct Object<'n> {
    pub(super) path: FieldPath,
    position: Option<Position>,
    entries: &'n [Entry],
}

/// Gathers what is wrong.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<FieldProblem>,
    pub(super) warnings: Vec<FieldProblem>,
}

impl<'n> Object<'n> {
    /// The entry of this name; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<Field<'n>> {
        self.fields().find(|(key, _)| *key == name).map(|(_, field)| field)
    }

    /// All entries that are not empty.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'n str, Field<'n>)> {
        let entries = self.entries.iter().filter(|entry| entry.value.kind != Kind::Null);
        entries
            .map(|entry| (entry.key.as_str(), Field { path: self.path.key(&entry.key), node: &entry.value }))
    }
}

impl Reader {
    /// Notes that the document cannot be used because of this field.
    pub(super) fn problem(&mut self, field: &Field<'_>, predicate: impl fmt::Display) {
        self.note(FieldProblem::new(&field.path, predicate).at(field.node.position));
    }

    /// Notes something that is probably a mistake.
    pub(super) fn warning(&mut self, field: &Field<'_>, predicate: impl fmt::Display) {
        self.warn(FieldProblem::new(&field.path, predicate).at(field.node.position));
    }

    fn note(&mut self, problem: FieldProblem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }

    fn warn(&mut self, warning: FieldProblem) {
        if self.warnings.len() < MAX_PROBLEMS {
            self.warnings.push(warning);
        }
    }

    /// Notes that a mapping lacks an entry.
    pub(super) fn missing(&mut self, object: &Object<'_>, name: &str, hint: &str) {
        let problem = FieldProblem::new(&object.path.key(name), format_args!("is missing; {hint}"));
        self.note(problem.at(object.position));
    }

    /// Warns of entries that no rule reads.
    pub(super) fn unknown(&mut self, object: &Object<'_>, known: &[&str]) {
        for entry in object.entries {
            if entry.value.kind != Kind::Null && !known.contains(&entry.key.as_str()) {
                let hint = did_you_mean(&entry.key, known.iter().copied());
                let predicate = format_args!("is not a known field and has no effect{hint}");
                let warning = FieldProblem::new(&object.path.key(&entry.key), predicate);
                self.warn(warning.at(entry.key_position));
            }
        }
    }

    /// Notes that a value is of the wrong kind.
    pub(super) fn expected(&mut self, field: &Field<'_>, wanted: &str) {
        let quotes = matches!(field.node.kind, Kind::Integer(_) | Kind::Number | Kind::Boolean);
        let hint = if quotes && wanted == "a string" { "; put it in quotation marks" } else { "" };
        let found = field.node.kind.noun();
        self.problem(field, format_args!("must be {wanted}, but it is {found}{hint}"));
    }

    /// A string without NUL, which no program takes as an argument.
    pub(super) fn text<'n>(&mut self, field: &Field<'n>) -> Option<&'n str> {
        match &field.node.kind {
            Kind::Text(text) if text.contains('\0') => {
                self.problem(field, "must not contain the NUL character; remove it");
                None
            }
            Kind::Text(text) => Some(text),
            _ => {
                self.expected(field, "a string");
                None
            }
        }
    }

    /// A string that must be there.
    pub(super) fn required<'n>(&mut self, object: &Object<'n>, name: &str, hint: &str) -> Option<&'n str> {
        match object.get(name) {
            Some(field) => self.text(&field),
            None => {
                self.missing(object, name, hint);
                None
            }
        }
    }

    /// A string that may be absent.
    pub(super) fn optional<'n>(&mut self, object: &Object<'n>, name: &str) -> Option<&'n str> {
        object.get(name).and_then(|field| self.text(&field))
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, field: &Field<'_>, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(field)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let list = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
            let choice = if words.len() > 1 { "one of " } else { "" };
            let hint = did_you_mean(text, words.iter().map(|(word, _)| *word));
            self.problem(field, format_args!("must be {choice}{list}, not {}{hint}", quoted(text)));
        }
        found
    }

    /// A whole number within bounds.
    pub(super) fn integer(
        &mut self,
        field: &Field<'_>,
        bounds: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        match field.node.kind {
            Kind::Integer(number) if bounds.contains(&number) => return Some(number),
            Kind::Integer(_) | Kind::Number => self.problem(
                field,
                format_args!("must be a whole number from {} to {}", bounds.start(), bounds.end()),
            ),
            _ => self.expected(field, "a whole number"),
        }
        None
    }

    /// The entries of a list.
    pub(super) fn list<'n>(&mut self, field: &Field<'n>) -> Option<Vec<Field<'n>>> {
        if let Kind::List(items) = &field.node.kind {
            let at = |(index, node)| Field { path: field.path.index(index), node };
            Some(items.iter().enumerate().map(at).collect())
        } else {
            self.expected(field, "a list");
            None
        }
    }

    /// A list of strings.
    pub(super) fn texts(&mut self, field: &Field<'_>) -> Vec<String> {
        let items = self.list(field).unwrap_or_default();
        items.iter().filter_map(|item| self.text(item)).map(str::to_owned).collect()
    }

    /// A mapping.
    pub(super) fn object<'n>(&mut self, field: &Field<'n>) -> Option<Object<'n>> {
        if let Kind::Mapping(entries) = &field.node.kind {
            Some(Object { path: field.path.clone(), position: field.node.position, entries })
        } else {
            self.expected(field, "a mapping");
            None
        }
    }

    /// A mapping whose entries are read one by one; those that cannot be read are left out.
    pub(super) fn map<'n, T>(
        &mut self,
        field: &Field<'n>,
        mut entry: impl FnMut(&mut Self, &'n str, &Field<'n>) -> Option<T>,
    ) -> BTreeMap<String, T> {
        let object = self.object(field);
        let fields = object.iter().flat_map(Object::fields);
        fields.filter_map(|(key, field)| Some((key.to_owned(), entry(self, key, &field)?))).collect()
    }
}
