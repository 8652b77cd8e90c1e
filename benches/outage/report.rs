//! The table of all phases, and the check that they went as documented.

use crate::load::Seen;
use crate::target::Outcome;
use crate::{PHASES, Phase};

/// Ticks of 10 ms that the server's core may spend on others in a second; a second with more is
/// not in the latencies.
const OTHERS_MAX: u64 = 1;

/// One phase of one round.
pub(crate) struct Happened {
    pub(crate) phase: &'static Phase,
    /// Its first second.
    pub(crate) first: usize,
    /// Ticks that the server's core spent on others in each of its seconds.
    pub(crate) others: Vec<u64>,
    /// Endpoints that turned down, and up.
    pub(crate) turned: (usize, usize),
    pub(crate) has_frozen: bool,
}

/// The figures of one phase of one round.
struct Figures {
    sent: u64,
    lost: u64,
    /// Of the answers that name endpoints, the share that names marked ones, in the last second.
    marked: f64,
    kept: usize,
    micros: [usize; 3],
}

impl Happened {
    fn figures(&self, seconds: &[Seen]) -> Figures {
        let seconds = &seconds[self.first..self.first + self.others.len()];
        let kept = || seconds.iter().zip(&self.others).filter(|(_, ticks)| **ticks <= OTHERS_MAX);
        let (all, calm) = (Seen::sum(seconds.iter()), Seen::sum(kept().map(|(seen, _)| seen)));
        let (named, marked) = seconds.last().map_or((0, 0), |seen| seen.named);
        Figures {
            sent: all.sent,
            lost: all.lost,
            marked: marked as f64 / named as f64,
            kept: kept().count(),
            micros: [0.5, 0.99, 0.999].map(|share| calm.micros_of(share)),
        }
    }
}

/// Prints a line for each phase.
///
/// # Errors
/// Fails if a query was lost, or if the guard, the turns or the shares were not as documented.
pub(crate) fn report(seconds: &[Seen], happened: &[Happened]) -> Outcome<()> {
    println!(
        "\n| phase | queries | lost | calm seconds | p50, µs | p99, µs | p99.9, µs | p99 ÷ quiet | \
         to the 6,000 |\n|---|---:|---:|---:|---:|---:|---:|---|---:|"
    );
    let figures: Vec<Figures> = happened.iter().map(|one| one.figures(seconds)).collect();
    for (at, phase) in PHASES.iter().enumerate() {
        let rounds: Vec<&Figures> = figures.iter().skip(at).step_by(PHASES.len()).collect();
        let quiet = figures.iter().step_by(PHASES.len());
        let ratio = |(one, quiet): (&&Figures, &Figures)| {
            (one.kept > 0 && quiet.kept > 0).then(|| one.micros[1] as f64 / quiet.micros[1] as f64)
        };
        let ratios = rounds.iter().zip(quiet).filter_map(ratio).collect();
        row(phase, &rounds, ratios);
    }
    let mut wrong = Vec::new();
    happened.iter().zip(&figures).for_each(|(one, figures)| judge(one, figures, &mut wrong));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ").into()) }
}

/// Prints the line of one phase: sums, medians of the rounds, and the extremes of the ratio.
fn row(phase: &Phase, rounds: &[&Figures], mut ratios: Vec<f64>) {
    let [p50, p99, p999] = [0, 1, 2].map(|at| {
        let calm = rounds.iter().filter(|figures| figures.kept > 0);
        let mut all: Vec<usize> = calm.map(|figures| figures.micros[at]).collect();
        all.sort_unstable();
        all.get(all.len() / 2).map_or("-".to_owned(), usize::to_string)
    });
    ratios.sort_by(f64::total_cmp);
    let ratio = match ratios[..] {
        [least, .., most] => format!("**{:.2}** ({least:.2}–{most:.2})", ratios[ratios.len() / 2]),
        [one] => format!("**{one:.2}**"),
        [] => "-".to_owned(),
    };
    println!(
        "| {} | {} | {} | {} of {} | {p50} | {p99} | {p999} | {ratio} | {:.1} % |",
        phase.about,
        rounds.iter().map(|figures| figures.sent).sum::<u64>(),
        rounds.iter().map(|figures| figures.lost).sum::<u64>(),
        rounds.iter().map(|figures| figures.kept).sum::<usize>(),
        rounds.len() * phase.seconds,
        rounds.iter().map(|figures| figures.marked).sum::<f64>() / rounds.len() as f64 * 100.0,
    );
}

/// Adds to `wrong` what is not as docs/operations.md says.
fn judge(happened: &Happened, figures: &Figures, wrong: &mut Vec<String>) {
    let Happened { phase, turned, has_frozen, .. } = happened;
    let about = phase.about;
    if figures.lost > 0 {
        wrong.push(format!("{about}: {} queries lost", figures.lost));
    }
    if *has_frozen != phase.freezes {
        wrong.push(format!("{about}: the guard engaged: {has_frozen}"));
    }
    if *turned != phase.turns {
        wrong.push(format!("{about}: {} turned down, {} up", turned.0, turned.1));
    }
    if (figures.marked - phase.marked).abs() > 0.01 {
        wrong.push(format!("{about}: {:.3} of the answers name the 6,000", figures.marked));
    }
}
