//! The `to` of routes.

use super::Lowering;
use crate::config::decode::At;
use crate::config::spec::ToSpec;
use crate::zone::{PoolIndex, Target, limits};

impl Lowering<'_> {
    /// Resolves the pools that `to` names; `depth`: how many lists and splits stand around it.
    pub(super) fn target(
        &mut self,
        to: &At<ToSpec>,
        pools: &[String],
        depth: usize,
    ) -> Option<Target> {
        if depth > limits::TARGET_DEPTH_MAX {
            let message = format!("`to` nests {} deep at most", limits::TARGET_DEPTH_MAX);
            self.decoder.error(&to.span, message);
            return None;
        }
        match &to.value {
            ToSpec::Pool(name) => self.pool(name, to, pools),
            ToSpec::Failover(list) => {
                self.check_length(list.len(), to)?;
                let targets: Vec<Option<Target>> =
                    list.iter().map(|item| self.target(item, pools, depth + 1)).collect();
                targets.into_iter().collect::<Option<Vec<Target>>>().map(Target::Failover)
            }
            ToSpec::Split(list) => {
                self.check_length(list.len(), to)?;
                if list.iter().all(|(_, weight)| *weight == 0) {
                    let help = "give at least one branch a weight";
                    self.decoder.error_with_help(&to.span, "all weights are 0", help);
                }
                let branches: Vec<Option<(Target, u16)>> = list
                    .iter()
                    .map(|(item, weight)| Some((self.target(item, pools, depth + 1)?, *weight)))
                    .collect();
                branches.into_iter().collect::<Option<Vec<_>>>().map(Target::Split)
            }
        }
    }

    fn pool(&mut self, name: &str, to: &At<ToSpec>, pools: &[String]) -> Option<Target> {
        let at = pools.iter().position(|pool| pool == name);
        if at.is_none() {
            self.decoder.unknown(&to.span, "pool", name, pools.iter().map(String::as_str));
        }
        at.map(|at| Target::Pool(PoolIndex(at as u16)))
    }

    fn check_length(&mut self, len: usize, to: &At<ToSpec>) -> Option<()> {
        if len == 0 {
            self.decoder.error(&to.span, "no pool is written here");
            return None;
        }
        if len > limits::POOLS_MAX {
            let message = format!("a list in `to` has {} members at most", limits::POOLS_MAX);
            self.decoder.error(&to.span, message);
            return None;
        }
        Some(())
    }
}
