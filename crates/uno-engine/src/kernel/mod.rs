//! Numeric kernels over plain slices. The widest instruction set is found at run time; every kernel has a portable form.
//!
//! Results do not depend on the number of threads: work is split by output rows or columns, never along a sum.

// Levels and jobs of x86 are named everywhere and used only there.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unused_imports))]

pub(crate) mod activation;
pub(crate) mod attend;
pub(crate) mod bf16;
pub(crate) mod dropout;
pub(crate) mod exp;
pub(crate) mod int8;
pub(crate) mod lanes;
pub(crate) mod level;
pub(crate) mod matrix;
pub(crate) mod norm;
pub(crate) mod panel;
pub(crate) mod parallel;
pub(crate) mod product;
pub(crate) mod rope;
pub(crate) mod skinny;
pub(crate) mod softmax;
pub(crate) mod team;
#[cfg(test)]
mod testing;
