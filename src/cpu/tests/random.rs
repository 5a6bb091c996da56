//! Random graphs against the interpreter.
