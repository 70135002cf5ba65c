//! Views of row-major and transposed matrices over slices, so that shapes are checked where the view is made.

use std::marker::PhantomData;

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

    pub(crate) fn as_mut_ptr(&mut self) -> *mut f32 {
        self.data
    }
}
