//! The network, module by module (method.md sections 1 to 5).
