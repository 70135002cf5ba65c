//! When a run has gone wrong beyond recovery.

use super::stepper::StepReport;
use crate::checkpoint::Progress;
use crate::config::TrainConfig;

/// Steps in a row that must be above the limit before an explosion is called.
const PATIENCE: u32 = 3;

/// Steps behind the running median.
const WINDOW: usize = 16;

/// Looks at a step before its update; the reason to stop, if there is one. NaN and infinity stop at once, so that they
/// never reach the weights. An explosion is a loss above `explosion_ratio` times the running median for three steps: a
/// single hard example is no reason. The lowest median so far counts, so that a loss which climbs slowly cannot take its
/// limit with it, and at least 1, so that one which has come close to 0 may move.
pub(crate) fn check(report: &StepReport, progress: &mut Progress, config: &TrainConfig) -> Option<String> {
    let step = progress.step + 1;
    if !report.is_finite() {
        return Some(format!(
            "step {step}: loss {} and gradient norm {} are not finite; try a lower lr than {}",
            report.loss, report.grad_norm, config.lr
        ));
    }
    let usual = progress.usual_loss.unwrap_or(report.loss);
    let limit = config.explosion_ratio * usual.max(1.0);
    progress.exploded = if report.loss > limit { progress.exploded + 1 } else { 0 };
    if progress.exploded >= PATIENCE {
        return Some(format!(
            "step {step}: the loss has exploded from {usual:.3} to {:.3} (limit {limit:.3}); try a lower lr than {}",
            report.loss, config.lr
        ));
    }
    progress.recent_losses.push(report.loss);
    let surplus = progress.recent_losses.len().saturating_sub(WINDOW);
    progress.recent_losses.drain(..surplus);
    progress.usual_loss = Some(usual.min(median(&progress.recent_losses)));
    None
}

/// The lower middle of some numbers.
fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(loss: f64, grad_norm: f64) -> StepReport {
        StepReport { loss, grad_norm, ..Default::default() }
    }

    #[test]
    fn not_finite_stops_at_once() {
        let config = TrainConfig::default();
        let reason = check(&report(f64::NAN, 1.0), &mut Progress::default(), &config).unwrap();
        assert!(reason.starts_with("step 1: loss NaN"), "{reason}");
        assert!(check(&report(1.0, f64::INFINITY), &mut Progress::default(), &config).is_some());
    }

    #[test]
    fn explosion_needs_three_steps_in_a_row() {
        let config = TrainConfig::default();
        let mut progress = Progress::default();
        let losses = [2.0, 30.0, 30.0, 3.0, 30.0, 30.0];
        assert!(losses.iter().all(|l| check(&report(*l, 1.0), &mut progress, &config).is_none()));
        let reason = check(&report(30.0, 1.0), &mut progress, &config).unwrap();
        assert!(reason.contains("exploded from 2.000 to 30.000 (limit 20.000)"), "{reason}");
    }

    #[test]
    fn the_limit_follows_the_median_down_but_not_up() {
        let config = TrainConfig { explosion_ratio: 2.0, ..TrainConfig::default() };
        let mut progress = Progress::default();
        // 8 is fine at the beginning; once the loss is about 3, it is an explosion.
        let falling = [8.0, 8.0, 8.0, 5.0, 4.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0];
        assert!(falling.iter().all(|l| check(&report(*l, 1.0), &mut progress, &config).is_none()));
        let climbing: Vec<f64> = (1..60).map(|i| 3.0 * 1.05f64.powi(i)).collect();
        let stopped = climbing.iter().position(|l| check(&report(*l, 1.0), &mut progress, &config).is_some());
        assert!(stopped.is_some_and(|at| climbing[at] < 8.0), "{stopped:?}");
    }

    #[test]
    fn a_loss_near_zero_may_move() {
        let config = TrainConfig::default();
        let mut progress = Progress::default();
        let losses = [0.01; 20].into_iter().chain([0.9; 5]);
        assert!(losses.into_iter().all(|l| check(&report(l, 1.0), &mut progress, &config).is_none()));
    }
}
