//! Agents whose words have no effect: the operator is told once of each change.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::health::{IdleWord, Probed};

/// The last word without effect of each address.
#[derive(Debug, Default)]
pub(super) struct IdleWords(Mutex<HashMap<Probed, IdleWord>>);

impl IdleWords {
    /// Notes that `probed` says `word`, or `None` without effect. Returns the word if it differs
    /// from the last one by more than its numbers.
    pub(super) fn news(&self, probed: &Probed, word: Option<&IdleWord>) -> Option<IdleWord> {
        let mut words = self.words();
        let Some(word) = word else {
            words.remove(probed);
            return None;
        };
        let told = words.insert(probed.clone(), word.clone());
        let is_told = told.is_some_and(|told| name(&told).eq(name(word)));
        (!is_told).then(|| word.clone())
    }

    /// Forgets the addresses that are not probed any more.
    pub(super) fn keep(&self, is_probed: impl Fn(&Probed) -> bool) {
        self.words().retain(|probed, _| is_probed(probed));
    }

    fn words(&self) -> MutexGuard<'_, HashMap<Probed, IdleWord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns `word` without its numbers, which may change from probe to probe.
fn name(word: &IdleWord) -> impl Iterator<Item = char> {
    word.text.chars().filter(|letter| !letter.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::health::AgentReply;
    use crate::zone::{Agent, Check, CheckKind};

    #[test]
    fn each_change_is_told_once() {
        let agent = Agent { header: None, weight_min: 0, weight_max: 100 };
        let word = |text: &str| AgentReply::read(text.as_bytes(), &agent).idle;
        let check = Arc::new(Check::new(CheckKind::Redis));
        let probed = Probed { address: ([192, 0, 2, 1], 80).into(), check };
        let words = IdleWords::default();
        let said = ["drian", "drian", "drain", "drian", "mainte", "mainte"];
        let told = said.map(|text| words.news(&probed, word(text).as_ref()).is_some());
        assert_eq!(told, [true, false, false, true, true, false]);
        let said = ["maxconn:30", "drain maxconn:9", "maxconn:30", "load=7", "load=12"];
        let told = said.map(|text| words.news(&probed, word(text).as_ref()).is_some());
        assert_eq!(told, [true, false, false, true, false], "numbers change");
        words.keep(|_| false);
        assert!(words.news(&probed, word("load=12").as_ref()).is_some());
    }
}
