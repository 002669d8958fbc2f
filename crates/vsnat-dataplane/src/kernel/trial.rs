//! Programs on packets that nobody sent: the kernel's test facility.

use aya::Ebpf;
use aya::programs::xdp::XdpMode;
use aya::programs::{SchedClassifier, TestRun, TestRunAttrs, TestRunOptions, TestRunResult};
use vsnat_api::Side;

use crate::AttachError;
use crate::kernel::error::{chain, program_reason};
use crate::kernel::load::{LOCAL, classifier, program_of, xdp, xdp_of};

/// The kernel runs a test on nothing shorter than an Ethernet header.
const SHORTEST_FRAME: [u8; 14] = [0; 14];
/// Room for what a program adds to a packet.
const HEADROOM: usize = 128;
/// Frames that are sent at a time: as many as a driver polls.
const BATCH: u32 = 64;

/// Loaded by the first measurement only.
const BARE: &str = "vsnat_bare";
const XDP_BARE: &str = "vsnat_xdp_bare";
const XDP_DROP: &str = "vsnat_xdp_drop";

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Side(Side),
    /// At the loopback interface.
    Local,
    /// Redirects, and does nothing else.
    Bare,
    /// In front of a side's program, in XDP.
    Xdp(Side),
    /// Redirects in XDP, and does nothing else.
    BareXdp,
}

/// A timed run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timed {
    /// What the program answered last.
    pub answer: i32,
    /// Of one run on average.
    pub ns: u32,
}

/// A packet for a trial.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub bytes: &'a [u8],
    /// Interface it comes from, in the caller's network namespace. One that
    /// runs XDP, for programs of XDP.
    pub ifindex: u32,
    /// Payload of each segment it stands for, 0 if it is one packet.
    pub segment_size: u32,
}

/// What becomes of the frames of a trial of XDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frames {
    /// Nothing.
    Held,
    /// They go where the program says, and others follow them.
    Live,
}

/// Runs a program once; answers its answer and the packet as it left it.
pub(super) fn run(
    ebpf: &mut Ebpf,
    program: Program,
    frame: &Frame<'_>,
) -> Result<(i32, Vec<u8>), AttachError> {
    let mut out = vec![0; frame.bytes.len() + HEADROOM];
    let options = TestRunOptions {
        data_in: Some(frame.bytes),
        data_out: Some(&mut out),
        ..TestRunOptions::new()
    };
    let result = run_with(ebpf, program, frame, options)?;
    out.truncate(result.data_size_out as usize);
    Ok((result.return_value as i32, out))
}

/// The same for a program at TC, and the mark that it left.
pub(super) fn run_marking(
    ebpf: &mut Ebpf,
    program: Program,
    frame: &Frame<'_>,
) -> Result<(i32, Vec<u8>, u32), AttachError> {
    let mut out = vec![0; frame.bytes.len() + HEADROOM];
    let mut context = [0; SKB_LEN];
    let options = TestRunOptions {
        data_in: Some(frame.bytes),
        data_out: Some(&mut out),
        ctx_out: Some(&mut context),
        ..TestRunOptions::new()
    };
    let result = run_with(ebpf, program, frame, options)?;
    out.truncate(result.data_size_out as usize);
    let mut mark = [0; 4];
    mark.copy_from_slice(&context[SKB_MARK..SKB_MARK + 4]);
    Ok((result.return_value as i32, out, u32::from_ne_bytes(mark)))
}

/// Runs a program many times, on the packet as the run before it left it.
pub(super) fn timed(
    ebpf: &mut Ebpf,
    program: Program,
    frame: &Frame<'_>,
    frames: Frames,
    repeat: u32,
) -> Result<Timed, AttachError> {
    let attrs = match frames {
        Frames::Held => TestRunAttrs::new(),
        Frames::Live => TestRunAttrs::new().xdp_live_frames(BATCH),
    };
    let options = TestRunOptions {
        data_in: Some(frame.bytes),
        repeat,
        attrs,
        ..TestRunOptions::new()
    };
    let result = run_with(ebpf, program, frame, options)?;
    Ok(Timed {
        answer: result.return_value as i32,
        ns: u32::try_from(result.duration.as_nanos()).unwrap_or(u32::MAX),
    })
}

/// Lets the driver of an interface drop everything that arrives, until the data
/// plane is closed: the end of frames that really left.
pub(super) fn swallow(ebpf: &mut Ebpf, interface: &str) -> Result<(), AttachError> {
    let refused = |reason: String| AttachError::NotAccelerated {
        program: XDP_DROP,
        interface: interface.to_owned(),
        reason,
    };
    let program = xdp(ebpf, XDP_DROP).map_err(refused)?;
    let attached = program.attach(interface, XdpMode::Driver);
    attached.map_err(|error| refused(program_reason(&error)))?;
    Ok(())
}

/// Runs a program that looks at no packet.
pub(super) fn run_empty(program: &mut SchedClassifier) -> Result<i32, String> {
    let result = program.test_run(TestRunOptions {
        data_in: Some(&SHORTEST_FRAME),
        ..TestRunOptions::new()
    });
    let result = result.map_err(|error| chain(&error))?;
    Ok(result.return_value as i32)
}

fn run_with(
    ebpf: &mut Ebpf,
    program: Program,
    frame: &Frame<'_>,
    options: TestRunOptions<'_>,
) -> Result<TestRunResult, AttachError> {
    let (name, is_xdp) = match program {
        Program::Side(side) => (program_of(side), false),
        Program::Local => (LOCAL, false),
        Program::Bare => (BARE, false),
        Program::Xdp(side) => (xdp_of(side), true),
        Program::BareXdp => (XDP_BARE, true),
    };
    let refused = |reason: String| AttachError::Run {
        program: name,
        reason,
    };
    let result = match is_xdp {
        true => {
            let context = xdp_context(frame);
            let loaded = xdp(ebpf, name).map_err(refused)?;
            loaded.test_run(TestRunOptions {
                ctx_in: Some(&context),
                ..options
            })
        }
        false => {
            let context = skb_context(frame);
            let program = classifier(ebpf, name).map_err(|error| refused(error.to_string()))?;
            if program.fd().is_err() {
                let loaded = program.load();
                loaded.map_err(|error| refused(program_reason(&error)))?;
            }
            program.test_run(TestRunOptions {
                ctx_in: Some(&context),
                ..options
            })
        }
    };
    result.map_err(|error| refused(chain(&error)))
}

/// `struct __sk_buff` with nothing set but what a frame says.
fn skb_context(frame: &Frame<'_>) -> [u8; SKB_LEN] {
    words([
        (SKB_IFINDEX, frame.ifindex),
        (SKB_GSO_SIZE, frame.segment_size),
    ])
}

/// `struct xdp_md`, the same.
fn xdp_context(frame: &Frame<'_>) -> [u8; XDP_LEN] {
    words([
        (XDP_DATA_END, frame.bytes.len() as u32),
        (XDP_IFINDEX, frame.ifindex),
    ])
}

fn words<const N: usize>(values: [(usize, u32); 2]) -> [u8; N] {
    let mut context = [0; N];
    for (at, value) in values {
        context[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }
    context
}

/// Sizes of the two, and places of their fields.
const SKB_LEN: usize = 192;
const SKB_MARK: usize = 8;
const SKB_IFINDEX: usize = 40;
const SKB_GSO_SIZE: usize = 176;
const XDP_LEN: usize = 24;
const XDP_DATA_END: usize = 4;
const XDP_IFINDEX: usize = 12;
