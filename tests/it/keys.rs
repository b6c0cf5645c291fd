//! The data keys: made once, checked at every start, replaced while everything goes on.

mod rotation;
mod serving;
mod stage;
mod start;
