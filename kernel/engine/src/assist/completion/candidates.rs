//! What is offered, in which order.

use std::collections::BTreeMap;

use oxtorch_session::{Candidate, CandidateKind as Kind};

use crate::assist::completion::usual::Use;
use crate::assist::members::Member;

/// How many are told: the methods of a tensor, without the variants that come last.
const MOST: usize = 1500;

/// The place of a candidate in the list: what is used most comes first, and of what is used as much, what came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    used: Use,
    number: usize,
}

/// Candidates by name; what is put in first stays.
#[derive(Debug, Default)]
pub(super) struct Candidates(BTreeMap<String, (Rank, Candidate)>);

impl Candidates {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn put(&mut self, text: &str, kind: Kind, signature: &str) {
        self.add(Candidate { text: text.to_owned(), kind, signature: signature.to_owned() });
    }

    pub fn put_member(&mut self, member: Member, used: Use) {
        self.add_as(used, Candidate { text: member.name, kind: member.kind, signature: member.signature });
    }

    pub fn add(&mut self, candidate: Candidate) {
        self.add_as(Use::Plain, candidate);
    }

    /// What has no signature yet gets one.
    pub fn add_as(&mut self, used: Use, candidate: Candidate) {
        let rank = Rank { used, number: self.0.len() };
        let (_, known) = self.0.entry(candidate.text.clone()).or_insert_with(|| (rank, candidate.clone()));
        if known.signature.is_empty() {
            *known = candidate;
        }
    }

    /// Those that begin so; where there are none, those that begin so but for upper and lower case.
    pub fn with_prefix(self, prefix: &str) -> Vec<Candidate> {
        let lower = prefix.to_lowercase();
        let all: Vec<_> = self.0.into_values().collect();
        let exact = all.iter().any(|(_, candidate)| candidate.text.starts_with(prefix));
        let fits = |text: &str| if exact { text.starts_with(prefix) } else { text.to_lowercase().starts_with(&lower) };
        let mut fitting: Vec<_> = all.into_iter().filter(|(_, candidate)| fits(&candidate.text)).collect();
        fitting.sort_by_key(|(rank, _)| *rank);
        fitting.into_iter().map(|(_, candidate)| candidate).take(MOST).collect()
    }
}
