//! Values and the facts that they come from.

use super::environment::Kind;
use super::number::Number;
use std::cell::Cell;
use std::fmt;

/// A value. Texts are borrowed from the facts, or from the expression that names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// True or false.
    Bool(bool),
    /// An exact number.
    Number(Number),
    /// A text.
    Text(&'a str),
}

impl Value<'_> {
    /// Its kind.
    pub fn kind(self) -> Kind {
        match self {
            Self::Bool(_) => Kind::Bool,
            Self::Number(_) => Kind::Number,
            Self::Text(_) => Kind::Text,
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

/// What an expression is evaluated over.
pub trait Facts {
    /// The value of the read with this slot, which is its index in the expression's reads; none where there
    /// is none, which fails the evaluation. It is asked for only where the evaluation reaches it, and each
    /// time that it does.
    fn value(&self, slot: usize) -> Option<Value<'_>>;
}

/// The value of each slot.
impl Facts for [Value<'_>] {
    fn value(&self, slot: usize) -> Option<Value<'_>> {
        self.get(slot).copied()
    }
}

/// The value of each slot.
impl<const SLOTS: usize> Facts for [Value<'_>; SLOTS] {
    fn value(&self, slot: usize) -> Option<Value<'_>> {
        self.get(slot).copied()
    }
}

/// Facts that remember which slots were asked for: what a verdict rests on.
#[derive(Debug)]
pub struct Watched<'a, F: ?Sized> {
    facts: &'a F,
    /// A bit for each slot: there are at most as many as an expression has nodes.
    asked: [Cell<u64>; WORDS],
}

const WORDS: usize = 4;

impl<'a, F: Facts + ?Sized> Watched<'a, F> {
    /// Watches these facts.
    pub fn new(facts: &'a F) -> Self {
        Self { facts, asked: Default::default() }
    }

    /// The slots that were asked for, in ascending order, each once.
    pub fn asked(&self) -> impl Iterator<Item = usize> {
        (0..WORDS * 64).filter(|slot| self.asked[slot / 64].get() >> (slot % 64) & 1 == 1)
    }
}

impl<F: Facts + ?Sized> Facts for Watched<'_, F> {
    fn value(&self, slot: usize) -> Option<Value<'_>> {
        if let Some(word) = self.asked.get(slot / 64) {
            word.set(word.get() | 1 << (slot % 64));
        }
        self.facts.value(slot)
    }
}
