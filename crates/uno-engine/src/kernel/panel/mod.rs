//! Products whose inner loop spreads a number of x over a register and multiplies it with registers of w,
//! `y[m, n] (+)= scale * x[m, k] · w[k, n]`: nothing is summed across lanes, so the multipliers never wait.
//!
//! w is packed into panels of [`PANEL`] columns that are read front to back: in advance ([`Panels`]), or a block at a time
//! on the way ([`matmul`]), which costs little when there are many rows. Each output is one sum over k in order, whatever
//! rows or threads there are beside it.

mod pack;
mod tile;
mod transpose;

use std::cell::RefCell;

use self::pack::pack;
use self::tile::run;
use super::level::level;
use super::matrix::{Mat, MatMut};
use super::parallel::split;
use super::product::{Into, Threads};

pub(crate) use self::pack::Panels;

/// Columns of a panel: four of the widest registers.
pub(crate) const PANEL: usize = 64;

/// Steps of k that are worked through at a time, so that a panel's part stays in the second-level cache beside the rows.
const BLOCK: usize = 512;

thread_local! {
    /// The packed part of a panel; kept because fresh pages cost as much as the product.
    static PACKED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// `y (+)= scale * x · w`, any strides of `x` and `w`.
pub(crate) fn matmul(mut y: MatMut<'_>, into: Into, x: Mat<'_>, w: Mat<'_>, scale: f32, threads: Threads) {
    check(&y, x, (w.rows, w.cols));
    let job = Job::new(&mut y, into, x, scale);
    job.parts(threads, &|panel, rows| {
        let column = panel * PANEL;
        let columns = PANEL.min(job.n - column);
        // Taken, not borrowed: a thread that waits may be given another product meanwhile.
        let mut packed = PACKED.take();
        packed.resize(BLOCK * PANEL, 0.0);
        for from in (0..job.k).step_by(BLOCK) {
            let steps = BLOCK.min(job.k - from);
            pack(w, from, steps, column, columns, &mut packed);
            // SAFETY: rows, columns and steps lie within the views; the packed block has `steps` rows of a panel.
            unsafe { run(level(), &job.cut(rows, (column, columns), (from, steps), packed.as_ptr())) };
        }
        PACKED.set(packed);
    });
}

/// `y (+)= x · w` with weights packed in advance.
pub(crate) fn product(mut y: MatMut<'_>, into: Into, x: Mat<'_>, w: &Panels, threads: Threads) {
    check(&y, x, (w.k, w.n));
    let job = Job::new(&mut y, into, x, 1.0);
    job.parts(threads, &|panel, rows| {
        let column = panel * PANEL;
        let columns = PANEL.min(job.n - column);
        for from in (0..job.k).step_by(BLOCK) {
            let steps = BLOCK.min(job.k - from);
            let part = w.part(panel, from);
            // SAFETY: as above; the panel has at least `steps` rows from there.
            unsafe { run(level(), &job.cut(rows, (column, columns), (from, steps), part.as_ptr())) };
        }
    });
}

/// `y (+)= scale * x · w` on this thread, for a `w` of at most [`PANEL`] columns whose rows may be read (not used) up to the
/// next multiple of 32 columns: too few rows to pack for.
pub(crate) fn narrow(mut y: MatMut<'_>, into: Into, x: Mat<'_>, w: Mat<'_>, scale: f32) {
    let padded = y.cols.next_multiple_of(32);
    assert!(y.rows == x.rows && x.cols == w.rows && w.col_stride == 1, "shapes of a narrow product");
    assert!(padded <= PANEL && w.cols >= padded, "{} columns, {} readable", y.cols, w.cols);
    let job = Job { w_stride: w.row_stride, w: w.as_ptr(), ..Job::new(&mut y, into, x, scale) };
    // SAFETY: the assertions above.
    unsafe { run(level(), &job) };
}

fn check(y: &MatMut<'_>, x: Mat<'_>, (k, n): (usize, usize)) {
    assert!(
        y.rows == x.rows && y.cols == n && x.cols == k,
        "product of {}x{} and {k}x{n} into {}x{}",
        x.rows,
        x.cols,
        y.rows,
        y.cols
    );
}

/// Addresses and shape of a product: of the whole, then of the part for one panel, some rows and some steps of k.
#[derive(Clone, Copy)]
struct Job {
    x: *const f32,
    x_row: usize,
    x_col: usize,
    w: *const f32,
    w_stride: usize,
    y: *mut f32,
    y_stride: usize,
    m: usize,
    k: usize,
    n: usize,
    scale: f32,
    add: bool,
}

// SAFETY: threads read `x` and `w` and write disjoint parts of `y`.
unsafe impl Sync for Job {}

impl Job {
    fn new(y: &mut MatMut<'_>, into: Into, x: Mat<'_>, scale: f32) -> Self {
        Job {
            x: x.as_ptr(),
            x_row: x.row_stride,
            x_col: x.col_stride,
            w: std::ptr::null(),
            w_stride: PANEL,
            y: y.as_mut_ptr(),
            y_stride: y.stride,
            m: x.rows,
            k: x.cols,
            n: y.cols,
            scale,
            add: into == Into::Add,
        }
    }

    /// The part for rows `first..end`, columns and steps of k (each from, number); blocks of k after the first add to what
    /// those before have written.
    ///
    /// # Safety
    /// The ranges lie within the job.
    unsafe fn cut(
        &self,
        (first, end): (usize, usize),
        (column, columns): (usize, usize),
        (from, steps): (usize, usize),
        w: *const f32,
    ) -> Job {
        Job {
            // SAFETY: rows, columns and steps of the views.
            x: unsafe { self.x.add(first * self.x_row + from * self.x_col) },
            y: unsafe { self.y.add(first * self.y_stride + column) },
            w,
            m: end - first,
            k: steps,
            n: columns,
            add: self.add || from > 0,
            ..*self
        }
    }

    /// Runs `work` on every panel with a range of rows, in equal shares of all threads: a panel that two threads share is
    /// cut by rows.
    fn parts(&self, threads: Threads, work: &(dyn Fn(usize, (usize, usize)) + Sync)) {
        let panels = self.n.div_ceil(PANEL);
        if self.m == 0 || self.n == 0 {
            return;
        }
        if threads.alone(self.m * self.k * self.n) {
            (0..panels).for_each(|panel| work(panel, (0, self.m)));
            return;
        }
        let shares = rayon::current_num_threads();
        // Multiples of six rows, as many as the kernel takes at a time.
        let row = |share: usize| (self.m * share / shares).next_multiple_of(6).min(self.m);
        split(panels * shares, shares, &|from, to| {
            for panel in from / shares..to.div_ceil(shares) {
                let first = from.saturating_sub(panel * shares);
                let end = (to - panel * shares).min(shares);
                if row(first) < row(end) {
                    work(panel, (row(first), row(end)));
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::{levels, noise};

    fn agrees(y: &[f32], x: &[f32], w: impl Fn(usize, usize) -> f32, (m, n, k): (usize, usize, usize)) {
        for r in 0..m {
            for c in 0..n {
                let sum: f64 = (0..k).map(|t| f64::from(x[r * k + t]) * f64::from(w(t, c))).sum();
                let error = (f64::from(y[r * n + c]) - 1.0 - sum).abs();
                assert!(error < 2e-6 * (k as f64).sqrt() + 1e-5, "{m}x{n}x{k}: {error}");
            }
        }
    }

    /// For shapes that leave remainders everywhere and several blocks of k.
    #[test]
    fn products_agree_with_f64() {
        for (m, n, k) in [(1, 1, 1), (6, 64, 32), (7, 65, 33), (5, 130, 100), (13, 70, 2 * BLOCK + 3)] {
            let (x, weight) = (noise(m * k, 1), noise(n * k, 2));
            let (x_view, w_view) = (Mat::dense(&x, m, k), Mat::dense(&weight, n, k));
            let packed = Panels::transposed(&weight, n, k);
            let mut y = vec![1.0; m * n];
            product(MatMut::dense(&mut y, m, n), Into::Add, x_view, &packed, Threads::All);
            agrees(&y, &x, |t, c| weight[c * k + t], (m, n, k));
            let mut same = vec![1.0; m * n];
            let view = MatMut::dense(&mut same, m, n);
            matmul(view, Into::Add, x_view, w_view.t(), 1.0, Threads::One);
            assert_eq!(y, same, "neither packing nor threads change a bit");
            // The same numbers with w along the other axis, and x transposed.
            let turned: Vec<f32> = (0..k * n).map(|i| weight[i % n * k + i / n]).collect();
            let x_turned: Vec<f32> = (0..k * m).map(|i| x[i % m * k + i / m]).collect();
            let (x, w) = (Mat::dense(&x_turned, k, m).t(), Mat::dense(&turned, k, n));
            let mut same = vec![1.0; m * n];
            matmul(MatMut::dense(&mut same, m, n), Into::Add, x, w, 1.0, Threads::All);
            assert_eq!(y, same, "strides change no bit");
        }
    }

    #[test]
    fn all_levels_agree_with_f64_on_a_narrow_matrix() {
        for (m, n, k) in [(1, 5, 3), (7, 32, 9), (9, 41, 70), (12, 64, 33)] {
            let (x, w) = (noise(m * k, 3), noise(k * PANEL, 4));
            for level in levels() {
                let mut y = vec![1.0; m * n];
                let mut view = MatMut::dense(&mut y, m, n);
                let job = Job { w: w.as_ptr(), ..Job::new(&mut view, Into::Add, Mat::dense(&x, m, k), 1.0) };
                // SAFETY: rows of w have PANEL readable elements, and this machine has the level.
                unsafe { run(level, &job) };
                agrees(&y, &x, |t, c| w[t * PANEL + c], (m, n, k));
            }
            let mut y = vec![f32::NAN; m * n];
            let (x, w) = (Mat::dense(&x, m, k), Mat::dense(&w, k, PANEL));
            narrow(MatMut::dense(&mut y, m, n), Into::Set, x, w, 0.5);
            assert!(y.iter().all(|v| v.is_finite()));
        }
    }
}
