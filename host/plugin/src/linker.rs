//! What a guest can import: streamhost's own interfaces, of WASI what language runtimes need to start, and requests over HTTP,
//! each of which has to be granted. Sockets are not here at all, so a component that asks for them does not load.

use crate::{abi, guest::Guest, http};
use engine::{Kind, Result, ResultExt};
use wasmtime::{
    Engine,
    component::{HasData, HasSelf, Linker, ResourceTable},
};
use wasmtime_wasi::{
    WasiView,
    cli::{WasiCli, WasiCliView},
    clocks::{WasiClocks, WasiClocksView},
    filesystem::{WasiFilesystem, WasiFilesystemView},
    p2::bindings::{cli, clocks, filesystem, random},
    random::WasiRandom,
};
use wasmtime_wasi_io::bindings::wasi::io;

pub(crate) fn linker(engine: &Engine) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    add(&mut linker).doing(Kind::Internal, || "linking the host functions that plugins may call")?;
    Ok(linker)
}

fn add(l: &mut Linker<Guest>) -> wasmtime::Result<()> {
    abi::log::add_to_linker::<_, HasSelf<_>>(l, Guest::called)?;
    abi::metrics::add_to_linker::<_, HasSelf<_>>(l, Guest::called)?;
    abi::state::add_to_linker::<_, HasSelf<_>>(l, Guest::called)?;
    abi::epoch::add_to_linker::<_, HasSelf<_>>(l, Guest::called)?;
    abi::outputs::add_to_linker::<_, HasSelf<_>>(l, Guest::called)?;
    add_io(l)?;
    add_machine(l)?;
    http::add(l)?;
    add_cli(l)
}

struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

fn add_io(l: &mut Linker<Guest>) -> wasmtime::Result<()> {
    io::error::add_to_linker::<_, HasTable>(l, |g| g.called().ctx().table)?;
    io::poll::add_to_linker::<_, HasTable>(l, |g| g.called().ctx().table)?;
    io::streams::add_to_linker::<_, HasTable>(l, |g| g.called().ctx().table)
}

fn add_machine(l: &mut Linker<Guest>) -> wasmtime::Result<()> {
    clocks::wall_clock::add_to_linker::<_, WasiClocks>(l, |g| g.called().clocks())?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(l, |g| g.called().clocks())?;
    random::random::add_to_linker::<_, WasiRandom>(l, |g| g.called().ctx().ctx.random())?;
    random::insecure::add_to_linker::<_, WasiRandom>(l, |g| g.called().ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |g| g.called().ctx().ctx.random())?;
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(l, |g| g.called().filesystem())?;
    filesystem::types::add_to_linker::<_, WasiFilesystem>(l, |g| g.called().filesystem())
}

fn add_cli(l: &mut Linker<Guest>) -> wasmtime::Result<()> {
    cli::exit::add_to_linker::<_, WasiCli>(l, |g| g.called().cli())?;
    cli::environment::add_to_linker::<_, WasiCli>(l, |g| g.called().cli())?;
    cli::stdin::add_to_linker::<_, WasiCli>(l, |g| g.called().cli())?;
    cli::stdout::add_to_linker::<_, WasiCli>(l, |g| g.called().cli())?;
    cli::stderr::add_to_linker::<_, WasiCli>(l, |g| g.called().cli())?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, |g| g.called().cli())?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, |g| g.called().cli())?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, |g| g.called().cli())?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, |g| g.called().cli())?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, |g| g.called().cli())
}
