//! Every probed address, its state, and the bits that show it.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::board::{Bit, Board};
use super::fingerprint;
use super::guard::{Guard, GuardPolicy, Guarded, Watched};
use super::tracker::{State, Tracker, Turned, Verdict};
use crate::clock::Moment;
use crate::zone::Check;

/// What is probed: an address by a check. Equal ones are one, whoever asks for them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Probed {
    /// Where the probe connects.
    pub address: SocketAddr,
    /// What it does there.
    pub check: Arc<Check>,
}

impl Probed {
    /// A number that stays the same from run to run and from release to release, as long as the
    /// address and what is asked of it do: the pace of the check has no part in it.
    pub fn fingerprint(&self) -> u64 {
        fingerprint::of(self)
    }
}

/// The state of a probed address, to outlive the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Whose: [`Probed::fingerprint`].
    pub fingerprint: u64,
    /// Up or down.
    pub state: State,
}

/// An endpoint address that a check guards, and the bit that shows its state.
#[derive(Clone, Debug)]
pub struct Binding {
    /// What decides its state.
    pub probed: Probed,
    /// For people: `web.example.com./fra1`.
    pub endpoint: String,
    /// Its bit on the zone's board.
    pub bit: Bit,
}

/// A state that turned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Whose.
    pub probed: Probed,
    /// From what to what.
    pub turned: Turned,
    /// Every endpoint that it concerns.
    pub endpoints: Vec<String>,
}

/// What one verdict did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The state that it turned.
    pub turn: Option<Turn>,
    /// Whether verdicts contradict the state, but not yet enough of them.
    pub is_pending: bool,
    /// What it made the guard begin or end.
    pub guarded: Option<Guarded>,
    /// The states that the guard put back.
    pub put_back: Vec<Turn>,
}

/// The states of all probed addresses.
#[derive(Debug, Default)]
pub struct Table {
    entries: HashMap<Probed, Entry>,
    guard: Guard,
    /// What was known before this process began.
    kept: HashMap<u64, Kept>,
}

/// One probed address.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) tracker: Tracker,
    pub(super) watched: Watched,
    shown: Vec<Shown>,
}

impl Entry {
    /// Shows what has turned on every board.
    fn show(&self, probed: &Probed, turned: Turned) -> Turn {
        for shown in &self.shown {
            shown.board.set(shown.bit, turned.to.may_serve());
        }
        // Nested services show an endpoint more than once.
        let mut known = HashSet::new();
        let endpoints = self.shown.iter().map(|shown| shown.endpoint.clone());
        let endpoints = endpoints.filter(|endpoint| known.insert(endpoint.clone())).collect();
        Turn { probed: probed.clone(), turned, endpoints }
    }
}

/// One bit that follows an entry's state.
#[derive(Debug)]
struct Shown {
    board: Arc<Board>,
    bit: Bit,
    endpoint: String,
}

impl Table {
    /// A table of nothing, guarded as `policy` says.
    pub fn new(policy: GuardPolicy) -> Self {
        Self { guard: Guard::new(policy), ..Self::default() }
    }

    /// Lets addresses that are bound from now on start from the states that they are `kept` in.
    pub fn resume(&mut self, kept: Vec<Kept>) {
        self.kept = kept.into_iter().map(|kept| (kept.fingerprint, kept)).collect();
    }

    /// Every state that is known.
    pub fn known(&self) -> Vec<Kept> {
        let known = self.entries.iter().filter(|(_, entry)| !entry.tracker.is_undecided());
        let kept = known.map(|(probed, entry)| Kept {
            fingerprint: probed.fingerprint(),
            state: entry.tracker.state(),
        });
        kept.filter(|kept| kept.state != State::Unknown).collect()
    }

    /// Whether the state of an address is known.
    pub fn is_known(&self, probed: &Probed) -> bool {
        self.entries.get(probed).is_some_and(|entry| !entry.tracker.is_undecided())
    }

    /// Whether the guard holds, so that failed probes change nothing.
    pub fn is_frozen(&self) -> bool {
        self.guard.is_frozen()
    }

    /// Lets `board` follow the states of its `bindings`, from now on and at once.
    ///
    /// A probed address that the table knows already keeps its state. A new one starts from the
    /// state that the same endpoint's address has under `replaced`, the bindings that these
    /// replace: who only changes an interval brings nobody up.
    pub fn bind(
        &mut self,
        board: &Arc<Board>,
        bindings: &[Binding],
        replaced: &[Binding],
        now: Moment,
    ) {
        let place = |binding: &Binding| (binding.endpoint.clone(), binding.probed.address.ip());
        let state =
            |binding: &Binding| self.entries.get(&binding.probed).map(|e| e.tracker.state());
        let before: HashMap<(String, IpAddr), State> =
            replaced.iter().filter_map(|b| Some((place(b), state(b)?))).collect();
        for binding in bindings {
            let (guard, kept) = (&mut self.guard, &self.kept);
            let entry = self.entries.entry(binding.probed.clone()).or_insert_with(|| {
                guard.add(&binding.probed);
                let kept = match kept.is_empty() {
                    true => None,
                    false => kept.get(&binding.probed.fingerprint()),
                };
                let state = before.get(&place(binding)).copied().unwrap_or(State::Unknown);
                let tracker = match kept {
                    Some(kept) => Tracker::resumed(kept.state, now),
                    None => Tracker::starting_from(state, now),
                };
                Entry { tracker, watched: Watched::default(), shown: Vec::new() }
            });
            board.set(binding.bit, entry.tracker.state().may_serve());
            entry.shown.push(Shown {
                board: Arc::clone(board),
                bit: binding.bit,
                endpoint: binding.endpoint.clone(),
            });
        }
    }

    /// Forgets `board`, and with it the probed addresses that no other board shows.
    pub fn unbind(&mut self, board: &Arc<Board>, bindings: &[Binding]) {
        for binding in bindings {
            if let Some(entry) = self.entries.get_mut(&binding.probed) {
                entry.shown.retain(|shown| !Arc::ptr_eq(&shown.board, board));
                if entry.shown.is_empty() {
                    self.guard.remove(&binding.probed, entry.watched);
                    self.entries.remove(&binding.probed);
                }
            }
        }
    }

    /// Takes one verdict in; if states turn, every board shows it before this returns.
    ///
    /// A verdict on an address that nothing is bound to any more is ignored, and so is a failure
    /// while the guard holds.
    ///
    /// # Cost
    /// By the boards that show this address, not by the size of the table.
    pub fn apply(&mut self, probed: &Probed, verdict: Verdict, now: Moment) -> Applied {
        let Some(entry) = self.entries.get_mut(probed) else { return Applied::default() };
        self.guard.note(probed, entry, verdict, now);
        let mut put_back = Vec::new();
        let guarded = self.guard.judge(&mut self.entries, now, |probed, entry, state| {
            if entry.tracker.state() != state {
                let turned = entry.tracker.turn_back(state, now);
                put_back.push(entry.show(probed, turned));
            }
        });
        let mut applied = Applied { guarded, put_back, ..Applied::default() };
        let is_ignored = verdict == Verdict::Fail && self.guard.is_frozen();
        if let (Some(entry), false) = (self.entries.get_mut(probed), is_ignored) {
            let turned = entry.tracker.apply(verdict, &probed.check, now);
            applied.turn = turned.map(|turned| entry.show(probed, turned));
            applied.is_pending = entry.tracker.is_pending();
        }
        applied
    }

    /// Everything to probe.
    pub fn probed(&self) -> impl Iterator<Item = &Probed> {
        self.entries.keys()
    }

    /// How many addresses still wait for their first verdict.
    pub fn undecided_count(&self) -> usize {
        self.entries.values().filter(|entry| entry.tracker.is_undecided()).count()
    }

    /// Every probed address at `ip`, whatever the port and check.
    pub fn probed_at(&self, ip: IpAddr) -> Vec<Probed> {
        self.entries.keys().filter(|probed| probed.address.ip() == ip).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::zone::{CheckKind, TcpCheck};

    fn probed(port: u16) -> Probed {
        let check = Check {
            kind: CheckKind::Tcp(TcpCheck { send: None, expect: None }),
            port: None,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            rise: 1,
            fall: 1,
            fast_interval: None,
            flap: None,
        };
        Probed { address: ([192, 0, 2, 1], port).into(), check: Arc::new(check) }
    }

    fn binding(port: u16, at: u8) -> Binding {
        let endpoint = format!("web.example.com./e{at}");
        Binding { probed: probed(port), endpoint, bit: Bit { word: 0, at } }
    }

    #[test]
    fn one_probe_turns_every_bit_that_shows_it() {
        let (one, two) = (Arc::new(Board::new(1)), Arc::new(Board::new(1)));
        let mut table = Table::new(GuardPolicy::default());
        table.bind(&one, &[binding(80, 0), binding(81, 1)], &[], Moment::default());
        table.bind(&two, &[binding(80, 5)], &[], Moment::default());
        assert_eq!(table.probed().count(), 2);
        let turn = table.apply(&probed(80), Verdict::Fail, Moment::default()).turn.unwrap();
        assert_eq!(turn.endpoints, ["web.example.com./e0", "web.example.com./e5"]);
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
        let bindings: Vec<Binding> = (1..=words as u16).map(at).collect();
        let mut table = Table::new(GuardPolicy::default());
        table.bind(&board, &bindings, &[], Moment::default());
        // Behind the table's back: whatever it wrote besides the one bit would show.
        for word in 0..words as u32 {
            (0..64).for_each(|at| board.set(Bit { word, at }, false));
        }
        let turn = table.apply(&probed(42), Verdict::Pass, Moment::default()).turn.unwrap();
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
        let at = |port, bit| Binding { probed: slow(port), ..binding(port, bit) };
        let mut before = Table::new(GuardPolicy::default());
        let board = Arc::new(Board::new(1));
        before.bind(&board, &[at(80, 0), at(81, 1), at(82, 2)], &[], Moment::default());
        before.apply(&slow(80), Verdict::Fail, Moment::default());
        before.apply(&slow(81), Verdict::Pass, Moment::default());
        let kept = before.known();
        assert_eq!(kept.len(), 2);

        let (board, mut table) = (Arc::new(Board::new(1)), Table::new(GuardPolicy::default()));
        table.resume(kept);
        table.bind(&board, &[at(80, 0), at(81, 1), at(82, 2)], &[], Moment::default());
        assert_eq!(board.word(0), !1, "what was down is down");
        assert_eq!(table.undecided_count(), 1, "nothing was known of the third");
        assert!(table.apply(&slow(80), Verdict::Pass, Moment::default()).turn.is_none());
        assert!(table.apply(&slow(80), Verdict::Pass, Moment::default()).turn.is_some());
    }

    #[test]
    fn a_state_outlives_the_board_that_showed_it_while_another_does() {
        let (old, new) = (Arc::new(Board::new(1)), Arc::new(Board::new(1)));
        let mut table = Table::new(GuardPolicy::default());
        table.bind(&old, &[binding(80, 0)], &[], Moment::default());
        table.apply(&probed(80), Verdict::Fail, Moment::default());
        table.bind(&new, &[binding(80, 3)], &[], Moment::default());
        table.unbind(&old, &[binding(80, 0)]);
        assert_eq!(new.word(0), !(1 << 3));
        table.unbind(&new, &[binding(80, 3)]);
        assert_eq!(table.probed().count(), 0);
        assert!(table.apply(&probed(80), Verdict::Pass, Moment::default()).turn.is_none());
    }

    #[test]
    fn a_changed_check_starts_from_the_state_under_the_old_one_and_decides_at_once() {
        let (old, new) = (Arc::new(Board::new(1)), Arc::new(Board::new(1)));
        let changed = Binding { endpoint: "web.example.com./e0".into(), ..binding(81, 0) };
        let mut table = Table::new(GuardPolicy::default());
        table.bind(&old, &[binding(80, 0)], &[], Moment::default());
        table.apply(&probed(80), Verdict::Fail, Moment::default());
        table.bind(&new, &[changed], &[binding(80, 0)], Moment::default());
        assert_eq!(new.word(0), !1, "down under the old check is down under the new one");
        let turn = table.apply(&probed(81), Verdict::Pass, Moment::default()).turn;
        assert_eq!(turn.map(|turn| turn.turned.to), Some(State::Up));
    }
}
