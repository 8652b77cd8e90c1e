//! Agents that say what nobody understands: the operator is told once of each word.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::health::{Probed, UnknownWord};

/// The unknown words that were told last, by who says them.
#[derive(Debug, Default)]
pub(super) struct Unclear(Mutex<HashMap<Probed, UnknownWord>>);

impl Unclear {
    /// Takes in that `probed` says `word`, or is understood; returns the word if nobody was told of
    /// it yet.
    pub(super) fn news(&self, probed: &Probed, word: Option<&UnknownWord>) -> Option<UnknownWord> {
        let mut words = self.words();
        let Some(word) = word else {
            words.remove(probed);
            return None;
        };
        if words.get(probed) == Some(word) {
            return None;
        }
        words.insert(probed.clone(), word.clone());
        Some(word.clone())
    }

    /// Forgets all that are not probed any more.
    pub(super) fn keep(&self, is_probed: impl Fn(&Probed) -> bool) {
        self.words().retain(|probed, _| is_probed(probed));
    }

    fn words(&self) -> MutexGuard<'_, HashMap<Probed, UnknownWord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::health::Spoken;
    use crate::zone::{Agent, Check, CheckKind};

    #[test]
    fn each_change_is_told_once() {
        let agent = Agent { header: None, weight_min: 0, weight_max: 100 };
        let word = |text: &str| Spoken::read(text.as_bytes(), &agent).err();
        let check = Arc::new(Check::new(CheckKind::Redis));
        let probed = Probed { address: ([192, 0, 2, 1], 80).into(), check };
        let unclear = Unclear::default();
        let said = ["drian", "drian", "drain", "drian", "mainte", "mainte"];
        let told = said.map(|text| unclear.news(&probed, word(text).as_ref()).is_some());
        assert_eq!(told, [true, false, false, true, true, false]);
        unclear.keep(|_| false);
        assert!(unclear.news(&probed, word("mainte").as_ref()).is_some());
    }
}
