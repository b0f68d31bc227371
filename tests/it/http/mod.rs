//! The contract, path by path.

mod deployments;
