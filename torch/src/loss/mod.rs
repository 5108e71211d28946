//! The losses (method.md section 7).
