//! What a command sees of the file system: the image below a layer in memory, and the binds.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::mount::MntFlags;
use nix::mount::MsFlags;
use nix::mount::mount;
use nix::mount::umount2;
use nix::sys::statvfs::FsFlags;
use nix::sys::statvfs::statvfs;
use nix::unistd::pivot_root;

use super::binfmt;
use super::binfmt::BINFMT_MISC;
use super::error::Step;
use super::error::StepError;
use super::layers::Layers;
use super::spec::Bind;
use super::spec::Root;
use super::spec::Spec;

/// Where the layer in memory is put together. Every host has this directory, and nothing that is
/// shown inside comes from below it.
pub(super) const WORK: &str = "/sys";

/// Where the host stays in reach, inside, until everything is bound.
const HOST: &str = "/.host";

/// Where the layers of a directory are in reach until it is mounted.
const LAYERS: &str = "/.layers";

/// Device nodes taken from the host; a user namespace cannot make any.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Replaces every mount of this process by those of `spec`.
pub(super) fn enter(spec: &Spec) -> Result<(), StepError> {
    let sources = spec
        .binds
        .iter()
        .map(source)
        .collect::<Result<Vec<_>, _>>()?;
    let layers = spec
        .layers
        .as_ref()
        .map(|(layers, _)| found(layers))
        .transpose()?;
    isolate()?;
    let size = format!("size={}", spec.tmp_size);
    match &spec.root {
        Root::Host => return enter_host(spec, &sources),
        Root::Image(root) => overlay(root, &size)?,
        Root::Bare => bare(&size)?,
    }
    for (bind, source) in spec.binds.iter().zip(&sources) {
        show(&below_host(source), &bind.target, bind.read_only)?;
    }
    if let (Some((_, target)), Some(layers)) = (&spec.layers, &layers) {
        merge(layers, target)?;
    }
    let private = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    proc(spec, HOST)?;
    devices(&spec.devices)?;
    make("tmpfs", "/tmp", private, Some(&format!("mode=1777,{size}")))?;
    umount2(HOST, MntFlags::MNT_DETACH).step(|| "leave the host's mounts".to_owned())?;
    fs::remove_dir(HOST).step(|| format!("remove `{HOST}`"))
}

/// Lets nothing that is mounted from here on be seen elsewhere.
pub(super) fn isolate() -> Result<(), StepError> {
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)
        .step(|| "make the mounts private".to_owned())
}

/// Keeps the host's mounts, read-only, but for `/proc` and the targets of binds.
fn enter_host(spec: &Spec, sources: &[PathBuf]) -> Result<(), StepError> {
    proc(spec, "/")?;
    for (bind, source) in spec.binds.iter().zip(sources) {
        // A missing target would be made, and stay, on the machine.
        fs::metadata(&bind.target).step(|| format!("find `{}`", bind.target.display()))?;
        show(source, &bind.target, bind.read_only)?;
    }
    let shown: Vec<&Path> = spec.binds.iter().map(|bind| &*bind.target).collect();
    seal(&shown)
}

/// Makes what is mounted read-only, but for what is `shown`. Below `/dev`, `/proc` and `/sys` nothing is kept, and a device is
/// written through a mount that is read-only too.
fn seal(shown: &[&Path]) -> Result<(), StepError> {
    let table = "/proc/self/mounts";
    let mounts = fs::read_to_string(table).step(|| format!("read `{table}`"))?;
    // Of mounts on the same place, only the last is seen.
    let places: BTreeSet<PathBuf> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(unescaped)
        .filter(|place| {
            let other = ["/dev", "/proc", "/sys"].map(Path::new);
            let mut left = other.iter().chain(shown);
            !left.any(|dir| place.starts_with(dir))
        })
        .collect();
    for place in places {
        let step = || format!("make `{}` read-only", place.display());
        let facts = match statvfs(&place) {
            // Another mount hides it, or it is not this user's to see.
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => continue,
            facts => facts.step(step)?,
        };
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(NONE, &place, NONE, flags | kept(facts.flags()), NONE).step(step)?;
    }
    Ok(())
}

/// A path of `proc_mounts(5)`, in which blanks and backslashes are octal.
fn unescaped(text: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let octal = octal.and_then(|digits| str::from_utf8(digits).ok());
        if let Some(byte) = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            bytes.push(byte);
            rest = &after[3..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    OsString::from_vec(bytes).into()
}

/// Mounts `/proc`, and in it the emulator, which is found below `host`.
fn proc(spec: &Spec, host: &str) -> Result<(), StepError> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    make("proc", "/proc", flags, None)?;
    spec.emulator.as_ref().map_or(Ok(()), |emulator| {
        binfmt::register(emulator, BINFMT_MISC, Path::new(host))
    })
}

const NONE: Option<&str> = None;

/// Gives a bind's source without links, so that it means the same below [`HOST`].
fn source(bind: &Bind) -> Result<PathBuf, StepError> {
    fs::canonicalize(&bind.source).step(|| format!("find `{}`", bind.source.display()))
}

/// Makes the image with a layer in memory above it the root, and the host's root [`HOST`].
fn overlay(root: &Path, size: &str) -> Result<(), StepError> {
    let work = Path::new(WORK);
    let root = fs::canonicalize(root).step(|| format!("find `{}`", root.display()))?;
    mount(
        Some("tmpfs"),
        work,
        Some("tmpfs"),
        MsFlags::empty(),
        Some(&*format!("mode=755,{size}")),
    )
    .step(|| format!("mount a `tmpfs` on `{WORK}`"))?;
    for name in ["lower", "upper", "work", "root"] {
        fs::create_dir(work.join(name)).step(|| format!("make `{WORK}/{name}`"))?;
    }
    // By way of a bind, as the option would give a meaning to `:` and `,` in the path.
    bind(&root, &work.join("lower"), MsFlags::empty())?;
    let layers =
        format!("lowerdir={WORK}/lower,upperdir={WORK}/upper,workdir={WORK}/work,userxattr");
    let merged = work.join("root");
    mount(
        Some("overlay"),
        &merged,
        Some("overlay"),
        MsFlags::empty(),
        Some(&*layers),
    )
    .step(|| format!("mount an overlay on `{}`", root.display()))?;
    pivot(&merged)
}

/// The layers without links, so that they mean the same below [`HOST`].
fn found(layers: &Layers) -> Result<Layers, StepError> {
    let find = |dir: &Path| fs::canonicalize(dir).step(|| format!("find `{}`", dir.display()));
    let lowers = layers.lowers().iter().map(|dir| find(dir));
    Ok(Layers::new(
        find(layers.upper())?,
        lowers.collect::<Result<_, _>>()?,
    ))
}

/// Shows layers as one directory.
fn merge(layers: &Layers, target: &Path) -> Result<(), StepError> {
    let make_dir =
        |dir: &Path| fs::create_dir_all(dir).step(|| format!("make `{}`", dir.display()));
    make_dir(target)?;
    // By way of binds, as the option would give a meaning to `:` and `,` in the paths. They go with the directory in memory.
    make(
        "tmpfs",
        LAYERS,
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some("mode=755"),
    )?;
    let place = |name: &str| Path::new(LAYERS).join(name);
    // The kernel wants the upper and its own directory in one mount.
    let (upper, work) = (layers.upper(), layers.work());
    let own = upper.parent().unwrap_or(upper);
    let mut below = Vec::new();
    for (number, dir) in [own]
        .into_iter()
        .chain(layers.lowers().iter().map(|dir| &**dir))
        .enumerate()
    {
        let number = number.to_string();
        make_dir(&place(&number))?;
        bind(&below_host(dir), &place(&number), MsFlags::empty())?;
        below.push(format!("{LAYERS}/{number}"));
    }
    let name = |dir: &Path| {
        dir.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let options = format!(
        "lowerdir={},upperdir={LAYERS}/0/{},workdir={LAYERS}/0/{},userxattr",
        below[1..].join(":"),
        name(upper),
        name(&work)
    );
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(
        Some("overlay"),
        target,
        Some("overlay"),
        flags,
        Some(&*options),
    )
    .step(|| format!("mount an overlay on `{}`", target.display()))?;
    umount2(LAYERS, MntFlags::MNT_DETACH).step(|| format!("unmount `{LAYERS}`"))?;
    fs::remove_dir(LAYERS).step(|| format!("remove `{LAYERS}`"))
}

/// Makes an empty directory in memory the root, and the host's root [`HOST`].
fn bare(size: &str) -> Result<(), StepError> {
    let work = Path::new(WORK);
    mount(
        Some("tmpfs"),
        work,
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some(&*format!("mode=755,{size}")),
    )
    .step(|| format!("mount a `tmpfs` on `{WORK}`"))?;
    pivot(work)
}

fn pivot(root: &Path) -> Result<(), StepError> {
    let host = root.join(&HOST[1..]);
    fs::create_dir(&host).step(|| format!("make `{HOST}` in the image"))?;
    pivot_root(root, &host).step(|| "make the image the root".to_owned())?;
    std::env::set_current_dir("/").step(|| "enter `/`".to_owned())
}

/// Shows `source` at `target`, making the target when it is missing.
fn show(source: &Path, target: &Path, read_only: bool) -> Result<(), StepError> {
    let is_dir = source.is_dir();
    if !target.is_absolute() || target.components().any(|part| part == Component::ParentDir) {
        let odd = io::Error::other("the target is not an absolute path without `..`");
        return Err(odd).step(|| format!("bind on `{}`", target.display()));
    }
    let made = if is_dir {
        fs::create_dir_all(target)
    } else {
        fs::create_dir_all(target.parent().unwrap_or(target)).and_then(|()| {
            File::options()
                .append(true)
                .create(true)
                .open(target)
                .map(drop)
        })
    };
    made.step(|| format!("make `{}`", target.display()))?;
    if !read_only {
        return bind(source, target, MsFlags::MS_REC);
    }
    bind(source, target, MsFlags::empty())?;
    let step = || format!("make `{}` read-only", target.display());
    // The host's own restrictions are locked: a remount must repeat them.
    let locked = kept(statvfs(target).step(step)?.flags());
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | locked;
    mount(NONE, target, NONE, flags, NONE).step(step)
}

fn kept(flags: FsFlags) -> MsFlags {
    let pairs = [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ];
    pairs
        .into_iter()
        .filter(|(has, _)| flags.contains(*has))
        .map(|(_, keep)| keep)
        .collect()
}

fn devices(more: &[String]) -> Result<(), StepError> {
    make("tmpfs", "/dev", MsFlags::MS_NOSUID, Some("mode=755"))?;
    for name in DEVICES.into_iter().chain(more.iter().map(String::as_str)) {
        let node = Path::new("/dev").join(name);
        show(&below_host(&node), &node, false)?;
    }
    let links = [
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
        ("pts/ptmx", "ptmx"),
    ];
    for (to, name) in links {
        symlink(to, Path::new("/dev").join(name)).step(|| format!("make `/dev/{name}`"))?;
    }
    let private = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    make("tmpfs", "/dev/shm", private, Some("mode=1777"))?;
    let pts = "newinstance,ptmxmode=0666,mode=620";
    make(
        "devpts",
        "/dev/pts",
        MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
        Some(pts),
    )
}

/// Mounts a new file system of kind `kind` on `target`.
fn make(kind: &str, target: &str, flags: MsFlags, data: Option<&str>) -> Result<(), StepError> {
    fs::create_dir_all(target).step(|| format!("make `{target}`"))?;
    mount(Some(kind), target, Some(kind), flags, data)
        .step(|| format!("mount `{kind}` on `{target}`"))
}

fn bind(source: &Path, target: &Path, how: MsFlags) -> Result<(), StepError> {
    mount(Some(source), target, NONE, MsFlags::MS_BIND | how, NONE)
        .step(|| format!("bind `{}` on `{}`", source.display(), target.display()))
}

fn below_host(path: &Path) -> PathBuf {
    Path::new(HOST).join(path.strip_prefix("/").unwrap_or(path))
}
