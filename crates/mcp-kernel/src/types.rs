//! Parameters that more than one tool takes.
