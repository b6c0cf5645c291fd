//! What the tests stand on.

use mimalloc::MiMalloc;

/// As the executable has it: what is measured in this process is what is measured in that one.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

pub mod app;
pub mod browser;
pub mod clock;
pub mod cloud;
pub mod database;
pub mod eventually;
pub mod figures;
pub mod ground;
pub mod http;
pub mod limits;
pub mod load;
pub mod postgres;
pub mod probe;
pub mod processes;
pub mod redis;
pub mod simulated_time;
pub mod single_page;
pub mod socket;
pub mod stack;
