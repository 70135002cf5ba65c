//! Views of row-major and transposed matrices over slices, so that shapes are checked where the view is made.

use std::marker::PhantomData;

use super::team::each;

/// A read-only matrix with any strides.
#[derive(Clone, Copy)]
pub(crate) struct Mat<'a> {
    data: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) row_stride: usize,
    pub(crate) col_stride: usize,
}

fn check(len: usize, rows: usize, cols: usize, row_stride: usize, col_stride: usize) {
    let last = if rows == 0 || cols == 0 { 0 } else { (rows - 1) * row_stride + (cols - 1) * col_stride + 1 };
    assert!(
        last <= len,
        "a {rows}x{cols} view with strides {row_stride},{col_stride} leaves its {len} elements"
    );
}

impl<'a> Mat<'a> {
    /// Rows `stride` apart, elements of a row adjacent.
    pub(crate) fn strided(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        check(data.len(), rows, cols, stride, 1);
        Mat { data, rows, cols, row_stride: stride, col_stride: 1 }
    }

    /// Densely packed rows.
    pub(crate) fn dense(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Mat::strided(data, rows, cols, cols)
    }

    /// The transpose, without moving anything.
    pub(crate) fn t(self) -> Self {
        Mat {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    /// One element.
    pub(crate) fn at(&self, row: usize, column: usize) -> f32 {
        self.data[row * self.row_stride + column * self.col_stride]
    }

    pub(crate) fn as_ptr(&self) -> *const f32 {
        self.data.as_ptr()
    }

    /// `n` adjacent numbers from `at`, counted from the first element.
    pub(crate) fn line(&self, at: usize, n: usize) -> &'a [f32] {
        &self.data[at..at + n]
    }
}

/// A row-major matrix that a kernel writes.
pub(crate) struct MatMut<'a> {
    data: *mut f32,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) stride: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: nobody else has a view's elements, as with a mutable slice.
unsafe impl Send for MatMut<'_> {}

impl<'a> MatMut<'a> {
    /// Rows `stride` apart.
    pub(crate) fn strided(data: &'a mut [f32], rows: usize, cols: usize, stride: usize) -> Self {
        check(data.len(), rows, cols, stride, 1);
        assert!(stride >= cols || rows <= 1, "rows of an output must not overlap");
        MatMut { data: data.as_mut_ptr(), rows, cols, stride, lifetime: PhantomData }
    }

    /// Densely packed rows.
    pub(crate) fn dense(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        MatMut::strided(data, rows, cols, cols)
    }

    /// Cuts it into views of `width` columns each, for threads of their own.
    pub(crate) fn by_columns(self, width: usize) -> impl Iterator<Item = MatMut<'a>> {
        assert!(width > 0 && self.cols.is_multiple_of(width), "{} columns in parts of {width}", self.cols);
        (0..if self.rows > 0 { self.cols / width } else { 0 }).map(move |part| MatMut {
            // SAFETY: a column of the view, which has a row.
            data: unsafe { self.data.add(part * width) },
            cols: width,
            ..self
        })
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut f32 {
        self.data
    }
}

/// Rows or columns of a block that is turned at a time: sixteen numbers are a cache line.
const SIDE: usize = 16;

/// The transpose of `x`, written to `buffer`.
pub(crate) fn transpose<'a>(x: Mat<'_>, buffer: &'a mut Vec<f32>) -> Mat<'a> {
    let (rows, cols) = (x.rows, x.cols);
    if buffer.len() < rows * cols {
        buffer.resize(rows * cols, 0.0);
    }
    let out = &mut buffer[..rows * cols];
    for from in (0..rows).step_by(SIDE) {
        let n = SIDE.min(rows - from);
        for (column, out) in out.chunks_exact_mut(rows.max(1)).enumerate() {
            for (i, out) in out[from..from + n].iter_mut().enumerate() {
                *out = x.at(from + i, column);
            }
        }
    }
    Mat::dense(out, cols, rows)
}

/// `y += xᵀ`, for dense `x`.
pub(crate) fn add_transposed(y: MatMut<'_>, x: Mat<'_>) {
    assert!(y.rows == x.cols && y.cols == x.rows);
    let (cols, stride) = (y.cols, y.stride);
    // SAFETY: the view covers its rows; `stride` apart, the last one without what follows it.
    let data = unsafe { std::slice::from_raw_parts_mut(y.data, (y.rows.max(1) - 1) * stride + cols) };
    each(data.chunks_mut(SIDE * stride).enumerate(), |(block, data)| {
        for from in (0..cols).step_by(SIDE) {
            for (i, row) in data.chunks_mut(stride).enumerate() {
                for (j, y) in row[from..cols.min(from + SIDE)].iter_mut().enumerate() {
                    *y += x.at(from + j, block * SIDE + i);
                }
            }
        }
    });
}
