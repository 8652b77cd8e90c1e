//! Every probed address, its state, and the bits that show it.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::binding::{Binding, EndpointName, Probed};
use super::board::{Board, Showing};
use super::entry::{Effect, Entry, Found};
use super::guard::{Guard, GuardPolicy, Guarded};
use super::overrides::{Overrides, Subject};
use super::spoken::Spoken;
use super::tracker::{State, Tracker, Turned, Verdict};
use crate::clock::Moment;
use crate::zone::Override;

/// The state of a probed address, kept to outlive the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The [`Probed::fingerprint`] of the address and check.
    pub fingerprint: u64,
    /// Up or down.
    pub state: State,
}

/// A state that turned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The address and check whose state turned.
    pub probed: Probed,
    /// The states before and after.
    pub turned: Turned,
    /// The endpoints that it concerns.
    pub endpoints: Vec<Concerned>,
}

/// An endpoint that a turn concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concerned {
    /// Its names.
    pub endpoint: Arc<EndpointName>,
    /// Its state before, by all checks that guard it.
    pub from: State,
    /// Its state now; equal to `from` if another check decides.
    pub to: State,
}

/// The effects of one verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The state that it turned.
    pub turn: Option<Turn>,
    /// The endpoint's words about itself, if they are new, and the endpoints that they are about.
    pub spoken: Option<(Spoken, Vec<Arc<EndpointName>>)>,
    /// Whether verdicts contradict the state, but not yet enough of them.
    pub is_pending: bool,
    /// The beginning or end of the guard's hold that it caused.
    pub guarded: Option<Guarded>,
    /// The states that the guard put back.
    pub put_back: Vec<Turn>,
}

/// The state of an endpoint's address by one of its checks.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The endpoint that has the address.
    pub endpoint: Arc<EndpointName>,
    /// The override in force for it.
    pub wanted: Override,
    /// The address and the check.
    pub probed: Probed,
    /// The state that the check found.
    pub state: State,
    /// The beginning of this state.
    pub since: Moment,
    /// The words for the last turn; `None` if nothing has turned it yet.
    pub reason: Option<Box<str>>,
}

/// The states of all probed addresses.
#[derive(Debug, Default)]
pub struct Table {
    entries: HashMap<Probed, Entry>,
    /// The number of entries that wait for their first verdict.
    undecided: usize,
    /// The sheets by number; `None` if the sheet is unbound, so that its number is free.
    sheets: Vec<Option<Sheet>>,
    overrides: Overrides,
    guard: Guard,
    /// The states that were known before this process began, by fingerprint.
    kept: HashMap<u64, Kept>,
}

/// A board and the bindings that it shows.
#[derive(Debug)]
struct Sheet {
    board: Arc<Board>,
    bindings: Arc<[Binding]>,
}

impl Table {
    /// Creates an empty table, with a guard that follows `policy`.
    pub fn new(policy: GuardPolicy) -> Self {
        Self { guard: Guard::new(policy), ..Self::default() }
    }

    /// Lets addresses that are bound from now on start from their `kept` states.
    pub fn resume(&mut self, kept: Vec<Kept>) {
        self.kept = kept.into_iter().map(|kept| (kept.fingerprint, kept)).collect();
    }

    /// Returns every state that is known.
    pub fn known(&self) -> Vec<Kept> {
        let known = self.entries.iter().filter(|(_, entry)| !entry.tracker.is_undecided());
        let kept = known.map(|(probed, entry)| Kept {
            fingerprint: probed.fingerprint(),
            state: entry.state(),
        });
        kept.filter(|kept| kept.state != State::Unknown).collect()
    }

    /// Notes the words for the last turn of the state of `probed`.
    pub fn note_reason(&mut self, probed: &Probed, reason: String) {
        if let Some(entry) = self.entries.get_mut(probed) {
            entry.reason = Some(reason.into());
        }
    }

    /// Returns the findings of all checks, sorted by service, address and endpoint.
    ///
    /// # Cost
    /// A pass over all bindings.
    pub fn findings(&self) -> Vec<Finding> {
        let bindings = self.sheets.iter().flatten().flat_map(|sheet| &*sheet.bindings);
        let of = |binding: &Binding, probed: &Probed| {
            let entry = self.entries.get(probed)?;
            Some(Finding {
                endpoint: Arc::clone(&binding.endpoint),
                wanted: self.overrides.wanted(&binding.endpoint, binding.wanted),
                probed: probed.clone(),
                state: entry.state(),
                since: entry.since,
                reason: entry.reason.clone(),
            })
        };
        let mut findings: Vec<Finding> = bindings
            .flat_map(|binding| {
                binding.condition.leaves().into_iter().filter_map(move |leaf| of(binding, leaf))
            })
            .collect();
        findings.sort_by(|a, b| {
            let key = |f: &Finding| (Arc::clone(&f.endpoint.service), f.probed.address);
            key(a).cmp(&key(b)).then_with(|| a.endpoint.name.cmp(&b.endpoint.name))
        });
        // Nested services show an endpoint more than once.
        findings.dedup_by(|a, b| a.endpoint == b.endpoint && a.probed == b.probed);
        findings
    }

    /// Returns whether the guard holds, so that failed probes change nothing.
    pub fn is_frozen(&self) -> bool {
        self.guard.is_frozen()
    }

    /// Lets `board` follow the states of its `bindings`, from now on and at once.
    ///
    /// A probed address that the table already knows keeps its state. A new one starts from its
    /// kept state. Otherwise it starts from the state of the same endpoint's address under
    /// `replaced`, the bindings that these replace: a mere change of an interval turns nothing up.
    pub fn bind(
        &mut self,
        board: &Arc<Board>,
        bindings: &Arc<[Binding]>,
        replaced: &[Binding],
        now: Moment,
    ) {
        let before = self.found_of(replaced);
        if self.entries.is_empty() {
            // Most servers have one large zone, or none: the map need not grow by doubling.
            self.entries.reserve(bindings.len());
        }
        let sheet = Sheet { board: Arc::clone(board), bindings: Arc::clone(bindings) };
        let free = self.sheets.iter().position(Option::is_none);
        let number = free.unwrap_or(self.sheets.len());
        match self.sheets.get_mut(number) {
            Some(place) => *place = Some(sheet),
            None => self.sheets.push(Some(sheet)),
        }
        for (at, binding) in bindings.iter().enumerate() {
            for probed in binding.condition.leaves() {
                let place = (&*binding.endpoint, probed.address.ip());
                let found = before.get(&place).copied().unwrap_or_default();
                let entry = self.entry(probed, found, now);
                let shown = (number as u32, at as u32);
                if !entry.shown.contains(&shown) {
                    entry.shown.push(shown);
                }
            }
        }
        bindings.iter().for_each(|binding| board.show(binding.bit, self.showing(binding)));
    }

    /// Returns the findings on the addresses of endpoints that a single check guards.
    fn found_of<'b>(&self, bindings: &'b [Binding]) -> HashMap<(&'b EndpointName, IpAddr), Found> {
        let states = bindings.iter().filter_map(|binding| {
            let [probed] = binding.condition.leaves()[..] else { return None };
            let entry = self.entries.get(probed)?;
            Some(((&*binding.endpoint, probed.address.ip()), entry.found()))
        });
        states.collect()
    }

    /// Returns the entry of `probed`. A new entry starts from the kept state, otherwise from
    /// `found`, the findings of another check.
    fn entry(&mut self, probed: &Probed, found: Found, now: Moment) -> &mut Entry {
        let (guard, kept, undecided) = (&mut self.guard, &self.kept, &mut self.undecided);
        self.entries.entry(probed.clone()).or_insert_with(|| {
            guard.add(probed);
            let kept = match kept.is_empty() {
                true => None,
                false => kept.get(&probed.fingerprint()),
            };
            match kept {
                Some(kept) => Entry::new(Tracker::resumed(kept.state, now), now),
                None => {
                    *undecided += 1;
                    Entry::starting_from(found, &probed.check, now)
                }
            }
        })
    }

    /// Forgets `bindings`, which were bound, and the probed addresses that no other board shows.
    pub fn unbind(&mut self, bindings: &Arc<[Binding]>) {
        let is_it = |sheet: &Option<Sheet>| {
            sheet.as_ref().is_some_and(|sheet| Arc::ptr_eq(&sheet.bindings, bindings))
        };
        let Some(number) = self.sheets.iter().position(is_it) else { return };
        let Some(sheet) = self.sheets.get_mut(number).and_then(Option::take) else { return };
        for probed in sheet.bindings.iter().flat_map(|binding| binding.condition.leaves()) {
            let Some(entry) = self.entries.get_mut(probed) else { continue };
            entry.shown.retain(|(sheet, _)| *sheet as usize != number);
            if entry.shown.is_empty() {
                self.guard.remove(probed, entry.watched);
                self.undecided -= usize::from(entry.tracker.is_undecided());
                self.entries.remove(probed);
            }
        }
    }

    /// Sets the override of `subject`; `None` returns to its zone file. Returns the bound endpoints
    /// of `subject`, by name; every board shows them as wanted before this returns.
    ///
    /// The states that checks find go on unseen beside it.
    ///
    /// # Cost
    /// A pass over all bindings.
    pub fn set_override(
        &mut self,
        subject: &Subject,
        wanted: Option<Override>,
    ) -> Vec<Arc<EndpointName>> {
        self.overrides.set(subject, wanted);
        let mut known = HashSet::new();
        for Sheet { board, bindings } in self.sheets.iter().flatten() {
            for binding in bindings.iter().filter(|binding| subject.has(&binding.endpoint)) {
                board.show(binding.bit, self.showing(binding));
                known.insert(Arc::clone(&binding.endpoint));
            }
        }
        let mut endpoints: Vec<_> = known.into_iter().collect();
        endpoints.sort_by(|a, b| a.name.cmp(&b.name));
        endpoints
    }

    /// Takes in one verdict, and the endpoint's words about itself if it may speak. If states turn,
    /// every board shows it before this returns.
    ///
    /// A verdict on an address that nothing is bound to any more is ignored, and so is a failure
    /// while the guard holds.
    ///
    /// # Cost
    /// Grows with the boards that show this address, not with the size of the table, unless the
    /// guard begins or ends to hold.
    pub fn apply(
        &mut self,
        probed: &Probed,
        (verdict, spoken): (Verdict, Option<Spoken>),
        now: Moment,
    ) -> Applied {
        let Some(entry) = self.entries.get_mut(probed) else { return Applied::default() };
        self.guard.note(probed, entry, verdict, now);
        let mut to_put_back = Vec::new();
        let guarded = self.guard.judge(&mut self.entries, now, |probed, entry, state| {
            if entry.tracker.state() != state {
                to_put_back.push((probed.clone(), state));
            }
        });
        let put_back = to_put_back.into_iter().filter_map(|(probed, state)| {
            self.change(&probed, |entry| Some(entry.turn_back(state, now)))
        });
        let put_back = put_back.collect();
        let mut applied = Applied { guarded, put_back, ..Applied::default() };
        if verdict == Verdict::Fail && self.guard.is_frozen() {
            return applied;
        }
        let (mut is_pending, mut new_words) = (false, None);
        applied.turn = self.change(probed, |entry| {
            let said = entry.spoken();
            let turned = entry.apply((verdict, spoken), &probed.check, now);
            is_pending = entry.tracker.is_pending();
            new_words = Some(entry.spoken()).filter(|says| *says != said);
            turned
        });
        applied.is_pending = is_pending;
        applied.spoken = new_words.and_then(|says| {
            let entry = self.entries.get(probed)?;
            Some((says, self.endpoints_of(&entry.shown)))
        });
        applied
    }

    /// Takes `probed` for down, as if its probes had failed often enough.
    pub fn fail(&mut self, probed: &Probed, now: Moment) {
        self.change(probed, |entry| Some(entry.turn_back(State::Down, now)));
    }

    /// Lets `change` change an entry, and shows the result on every board.
    fn change(
        &mut self,
        probed: &Probed,
        change: impl FnOnce(&mut Entry) -> Option<Turned>,
    ) -> Option<Turn> {
        let entry = self.entries.get_mut(probed)?;
        let before = entry.standing(&probed.check);
        self.undecided -= usize::from(entry.tracker.is_undecided());
        let turned = change(entry);
        self.undecided += usize::from(entry.tracker.is_undecided());
        let after = entry.standing(&probed.check);
        if before == after && turned.is_none() {
            return None;
        }
        let entry = self.entries.get(probed)?;
        let mut endpoints: Vec<Concerned> = Vec::new();
        for (sheet, at) in &entry.shown {
            let Some((board, binding)) = self.binding(*sheet, *at) else { continue };
            board.show(binding.bit, self.showing(binding));
            // Nested services show an endpoint more than once.
            let is_known = |known: &Concerned| known.endpoint == binding.endpoint;
            if turned.is_some() && !endpoints.iter().any(is_known) {
                let was =
                    |leaf: &Probed| if leaf == probed { before.state } else { self.state(leaf) };
                let from = state(binding, was);
                let to = state(binding, |leaf| self.state(leaf));
                endpoints.push(Concerned { endpoint: Arc::clone(&binding.endpoint), from, to });
            }
        }
        turned.map(|turned| Turn { probed: probed.clone(), turned, endpoints })
    }

    fn binding(&self, sheet: u32, at: u32) -> Option<(&Board, &Binding)> {
        let sheet = self.sheets.get(sheet as usize)?.as_ref()?;
        Some((&*sheet.board, sheet.bindings.get(at as usize)?))
    }

    /// Returns every endpoint that shows the state of `probed`.
    pub fn endpoints(&self, probed: &Probed) -> Vec<Arc<EndpointName>> {
        self.entries.get(probed).map_or(Vec::new(), |entry| self.endpoints_of(&entry.shown))
    }

    fn endpoints_of(&self, shown: &[(u32, u32)]) -> Vec<Arc<EndpointName>> {
        let mut endpoints: Vec<Arc<EndpointName>> = Vec::new();
        for (sheet, at) in shown {
            let Some((_, binding)) = self.binding(*sheet, *at) else { continue };
            if !endpoints.contains(&binding.endpoint) {
                endpoints.push(Arc::clone(&binding.endpoint));
            }
        }
        endpoints
    }

    fn state(&self, probed: &Probed) -> State {
        self.entries.get(probed).map_or(State::Unknown, Entry::state)
    }

    /// Returns what a board has to show of a binding: its state, unless the operator wants another.
    fn showing(&self, binding: &Binding) -> Showing {
        let found = Effect::of(state(binding, |leaf| self.state(leaf)));
        let leaves = binding.condition.needed().into_iter();
        let entries = leaves.filter_map(|leaf| Some((self.entries.get(leaf)?, leaf)));
        let standing =
            entries.fold(found, |all, (entry, leaf)| all.with(entry.standing(&leaf.check)));
        match self.overrides.wanted(&binding.endpoint, binding.wanted) {
            Override::Auto => standing.showing(),
            Override::Up => Showing::UP,
            Override::Down => Showing::DOWN,
            Override::Drain if found.state.may_serve() => Showing::DRAINED,
            Override::Drain => Showing::DOWN,
        }
    }

    /// Returns everything to probe, each with whether a verdict or a kept state decides its state.
    pub fn probed(&self) -> impl Iterator<Item = (&Probed, bool)> {
        self.entries.iter().map(|(probed, entry)| (probed, !entry.tracker.is_undecided()))
    }

    /// Returns the number of addresses that still wait for their first verdict.
    pub fn undecided_count(&self) -> usize {
        self.undecided
    }

    /// Returns every probed address at `ip`, whatever the port and check.
    pub fn probed_at(&self, ip: IpAddr) -> Vec<Probed> {
        self.entries.keys().filter(|probed| probed.address.ip() == ip).cloned().collect()
    }
}

/// Returns the state of an endpoint's address, from the states of all that guards it.
fn state(binding: &Binding, of: impl Fn(&Probed) -> State) -> State {
    let holds = binding.condition.holds(&|leaf| match of(leaf) {
        State::Unknown => None,
        State::Up => Some(true),
        State::Down => Some(false),
    });
    match holds {
        None => State::Unknown,
        Some(true) => State::Up,
        Some(false) => State::Down,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::health::Bit;
    use crate::zone::{Check, CheckKind, TcpCheck};

    fn probed(port: u16) -> Probed {
        let check = Check {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            rise: 1,
            fall: 1,
            ..Check::new(CheckKind::Tcp(TcpCheck { send: None, expect: None }))
        };
        Probed { address: ([192, 0, 2, 1], port).into(), check: Arc::new(check) }
    }

    fn binding(port: u16, at: u8) -> Binding {
        Binding::of(probed(port), &format!("e{at}"), Bit { word: 0, at })
    }

    fn all<const N: usize>(bindings: [Binding; N]) -> Arc<[Binding]> {
        bindings.into()
    }

    fn apply(table: &mut Table, probed: &Probed, verdict: Verdict) -> Option<Turn> {
        table.apply(probed, (verdict, None), Moment::default()).turn
    }

    #[test]
    fn one_probe_turns_every_bit_that_shows_it() {
        let (one, two) = (Arc::new(Board::new(1)), Arc::new(Board::new(1)));
        let mut table = Table::new(GuardPolicy::default());
        table.bind(&one, &all([binding(80, 0), binding(81, 1)]), &[], Moment::default());
        table.bind(&two, &all([binding(80, 5)]), &[], Moment::default());
        assert_eq!(table.probed().count(), 2);
        let turn = apply(&mut table, &probed(80), Verdict::Fail).unwrap();
        let named: Vec<String> = turn.endpoints.iter().map(|e| e.endpoint.to_string()).collect();
        assert_eq!(named, ["web.example.com./e0", "web.example.com./e5"]);
        assert_eq!((one.word(0), two.word(0)), (!1, !(1 << 5)));
    }

    #[test]
    fn a_turn_touches_the_word_that_shows_it_and_no_other_of_thousands() {
        let words = 5000;
        let board = Arc::new(Board::new(words));
        let at = |port: u16| Binding {
            bit: Bit { word: u32::from(port) - 1, at: 7 },
            ..binding(port, 7)
        };
        let bindings: Arc<[Binding]> = (1..=words as u16).map(at).collect();
        let mut table = Table::new(GuardPolicy::default());
        table.bind(&board, &bindings, &[], Moment::default());
        // The table does not know of these writes: any other bit that it wrote would show.
        for word in 0..words as u32 {
            (0..64).for_each(|at| board.show(Bit { word, at }, Showing::DOWN));
        }
        let turn = apply(&mut table, &probed(42), Verdict::Pass).unwrap();
        assert_eq!(turn.endpoints.len(), 1);
        for word in 0..words as u32 {
            assert_eq!(board.word(word), if word == 41 { 1 << 7 } else { 0 }, "word {word}");
        }
    }

    #[test]
    fn states_that_were_kept_are_those_to_start_from_and_need_their_rise() {
        let slow = |port: u16| {
            let Probed { address, check } = probed(port);
            Probed { address, check: Arc::new(Check { rise: 2, ..(*check).clone() }) }
        };
        let at = |port: u16, at| Binding::of(slow(port), &format!("e{at}"), Bit { word: 0, at });
        let bindings = all([at(80, 0), at(81, 1), at(82, 2)]);
        let mut before = Table::new(GuardPolicy::default());
        let board = Arc::new(Board::new(1));
        before.bind(&board, &bindings, &[], Moment::default());
        apply(&mut before, &slow(80), Verdict::Fail);
        apply(&mut before, &slow(81), Verdict::Pass);
        let kept = before.known();
        assert_eq!(kept.len(), 2);

        let (board, mut table) = (Arc::new(Board::new(1)), Table::new(GuardPolicy::default()));
        table.resume(kept);
        table.bind(&board, &bindings, &[], Moment::default());
        assert_eq!(board.word(0), !1, "what was down is down");
        assert_eq!(table.undecided_count(), 1, "nothing was known of the third");
        assert!(apply(&mut table, &slow(80), Verdict::Pass).is_none());
        assert!(apply(&mut table, &slow(80), Verdict::Pass).is_some());
    }

    #[test]
    fn a_state_outlives_the_board_that_showed_it_while_another_does() {
        let (old, new) = (Arc::new(Board::new(1)), Arc::new(Board::new(1)));
        let mut table = Table::new(GuardPolicy::default());
        let (before, after) = (all([binding(80, 0)]), all([binding(80, 3)]));
        table.bind(&old, &before, &[], Moment::default());
        apply(&mut table, &probed(80), Verdict::Fail);
        table.bind(&new, &after, &[], Moment::default());
        table.unbind(&before);
        assert_eq!(new.word(0), !(1 << 3));
        table.unbind(&after);
        assert_eq!(table.probed().count(), 0);
        assert!(apply(&mut table, &probed(80), Verdict::Pass).is_none());
    }

    #[test]
    fn a_changed_check_starts_from_the_state_under_the_old_one_and_decides_at_once() {
        let (old, new) = (Arc::new(Board::new(1)), Arc::new(Board::new(1)));
        let (before, after) = (all([binding(80, 0)]), all([binding(81, 0)]));
        let mut table = Table::new(GuardPolicy::default());
        table.bind(&old, &before, &[], Moment::default());
        apply(&mut table, &probed(80), Verdict::Fail);
        table.bind(&new, &after, &before, Moment::default());
        assert_eq!(new.word(0), !1, "down under the old check is down under the new one");
        let turn = apply(&mut table, &probed(81), Verdict::Pass);
        assert_eq!(turn.map(|turn| turn.turned.to), Some(State::Up));
    }
}
