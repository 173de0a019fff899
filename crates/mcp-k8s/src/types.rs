//! Parameter types that more than one tool uses.
