//! Laws of specs: what is different has another digest, what is equal has the same, and both encodings give it back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value as Json;

use store::Algorithm;
use store::Checksum;

use super::*;
use crate::kconfig::Predicate;
use crate::kconfig::Value;
use crate::kconfig::Version;
use crate::model::*;

/// A value with any one of its fields, at whatever depth, as another has it.
trait Vary: Clone {
    fn vary(&self, other: &Self) -> Vec<Self> {
        vec![other.clone()]
    }
}

impl Vary for String {}
impl Vary for u8 {}
impl Vary for u32 {}
impl Vary for u64 {}
impl Vary for bool {}
impl Vary for Abi {}
impl Vary for Accel {}
impl Vary for Checksum {}
impl Vary for BaseOrigin {}
impl Vary for ConfigRecipe {}
impl Vary for DiskBus {}
impl Vary for FamilyName {}
impl Vary for FetchBy {
    fn vary(&self, other: &Self) -> Vec<Self> {
        let mut all = vec![other.clone()];
        if let (Self::Git(own), Self::Git(other)) = (self, other) {
            all.extend(own.vary(other).into_iter().map(Self::Git));
        }
        all
    }
}
impl Vary for LavaCommands {}
impl Vary for LavaMethod {}
impl Vary for LavaTestFrom {}
impl Vary for Predicate {}
impl Vary for RootfsFormat {}
impl Vary for Severity {}
impl Vary for SourceForm {}
impl Vary for Strength {}
impl Vary for Value {}
impl Vary for Version {}

impl<A: Vary, B: Vary> Vary for (A, B) {
    fn vary(&self, other: &Self) -> Vec<Self> {
        let first = self.0.vary(&other.0).into_iter();
        let second = self.1.vary(&other.1).into_iter();
        first
            .map(|first| (first, self.1.clone()))
            .chain(second.map(|second| (self.0.clone(), second)))
            .collect()
    }
}

impl<T: Vary> Vary for Option<T> {
    fn vary(&self, other: &Self) -> Vec<Self> {
        let mut all = vec![other.clone()];
        if let (Some(own), Some(other)) = (self, other) {
            all.extend(own.vary(other).into_iter().map(Some));
        }
        all
    }
}

impl<T: Vary> Vary for Vec<T> {
    fn vary(&self, other: &Self) -> Vec<Self> {
        let mut all = vec![other.clone()];
        all.push(self.iter().rev().cloned().collect());
        for (index, (own, other)) in self.iter().zip(other).enumerate() {
            all.extend(own.vary(other).into_iter().map(|varied| {
                let mut items = self.clone();
                items[index] = varied;
                items
            }));
        }
        all
    }
}

impl<T: Vary> Vary for BTreeMap<String, T> {
    fn vary(&self, other: &Self) -> Vec<Self> {
        let mut all = vec![other.clone()];
        for (name, own) in self {
            let varied = other.get(name).map(|other| own.vary(other));
            all.extend(varied.into_iter().flatten().map(|varied| {
                let mut items = self.clone();
                items.insert(name.clone(), varied);
                items
            }));
        }
        all
    }
}

/// A strategy for a struct, with one for every field: one that is forgotten here does not compile.
macro_rules! arbitrary {
    ($($name:ident -> $type:ident { $($field:ident: $strategy:expr),* $(,)? })*) => {$(
        fn $name() -> impl Strategy<Value = $type> + Clone {
            ($($strategy,)*).prop_map(|($($field,)*)| $type { $($field),* })
        }

        impl Vary for $type {
            #[allow(clippy::needless_update, reason = "some structs have one field")]
            fn vary(&self, other: &Self) -> Vec<Self> {
                let mut all = Vec::new();
                $(for varied in self.$field.vary(&other.$field) {
                    all.push(Self { $field: varied, ..self.clone() });
                })*
                all
            }
        }
    )*};
}

/// Few values, so that equal ones are met, and such as an encoding may take for each other.
fn word() -> impl Strategy<Value = String> + Clone {
    proptest::sample::select(&["", "a", "b", "a b", "\"", "\\", "null", "1", "ä\n"][..])
        .prop_map(str::to_owned)
}

fn number() -> impl Strategy<Value = u32> + Clone {
    prop_oneof![Just(0), Just(1), Just(u32::MAX)]
}

fn words() -> impl Strategy<Value = Vec<String>> + Clone {
    proptest::collection::vec(word(), 0..3)
}

fn map<T>(
    values: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = BTreeMap<String, T>> + Clone
where
    T: Clone + std::fmt::Debug,
{
    proptest::collection::btree_map(word(), values, 0..3)
}

fn maybe<T>(values: impl Strategy<Value = T> + Clone) -> impl Strategy<Value = Option<T>> + Clone
where
    T: Clone + std::fmt::Debug,
{
    proptest::option::of(values)
}

fn value() -> impl Strategy<Value = Value> + Clone {
    prop_oneof![
        Just(Value::Yes),
        Just(Value::Module),
        Just(Value::No),
        proptest::sample::select(&["1", "0x1"][..]).prop_map(|text| Value::Number(text.to_owned())),
        proptest::sample::select(&["", "y", "n", "1", "0x1", "\"y\""][..])
            .prop_map(|text| Value::Text(text.to_owned())),
    ]
}

fn version() -> impl Strategy<Value = Version> + Clone {
    proptest::sample::select(&["6.1", "6.1.0", "6.10"][..]).prop_map(|text| text.parse().unwrap())
}

/// As definitions make them, by operators.
fn predicate() -> impl Strategy<Value = Predicate> + Clone {
    let symbol = proptest::sample::select(&["A", "B"][..]);
    let leaf = prop_oneof![
        symbol.clone().prop_map(Predicate::built_in),
        symbol
            .clone()
            .prop_map(|name| Predicate::Module(name.to_owned())),
        symbol
            .clone()
            .prop_map(|name| Predicate::Enabled(name.to_owned())),
        (symbol, value()).prop_map(|(name, value)| Predicate::Is(name.to_owned(), value)),
        version().prop_map(Predicate::Since),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|part| !part),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| left & right),
            (inner.clone(), inner).prop_map(|(left, right)| left | right),
        ]
    })
}

fn abi() -> impl Strategy<Value = Abi> + Clone {
    prop_oneof![Just(Abi::X86_64), Just(Abi::Armel), Just(Abi::Armhf)]
}

fn accel() -> impl Strategy<Value = Accel> + Clone {
    prop_oneof![Just(Accel::Tcg), Just(Accel::Kvm)]
}

fn severity() -> impl Strategy<Value = Severity> + Clone {
    prop_oneof![Just(Severity::Warning), Just(Severity::Error)]
}

fn strength() -> impl Strategy<Value = Strength> + Clone {
    prop_oneof![
        Just(Strength::Must),
        Just(Strength::Satisfy),
        Just(Strength::Want),
        Just(Strength::IfPresent)
    ]
}

fn recipe() -> impl Strategy<Value = ConfigRecipe> + Clone {
    prop_oneof![
        word().prop_map(|target| ConfigRecipe::Defconfig { target }),
        Just(ConfigRecipe::Tiny),
        (number(), word())
            .prop_map(|(seed, probability)| ConfigRecipe::Randconfig { seed, probability }),
        file().prop_map(|file| ConfigRecipe::File { file }),
        (any::<u32>(), any::<u32>(), any::<u32>())
            .prop_map(|(seed, share, spare)| ConfigRecipe::Mutant { seed, share, spare }),
    ]
}

fn base_origin() -> impl Strategy<Value = BaseOrigin> + Clone {
    let debian = (word(), word(), words()).prop_map(|(suite, arch, packages)| BaseOrigin::Debian {
        suite,
        arch,
        packages,
    });
    let trust = prop_oneof![
        (words(), words()).prop_map(|(keys, urls)| Trust::Signed { keys, urls }),
        word().prop_map(|reason| Trust::Unsigned { reason }),
    ];
    let gentoo = (word(), words(), trust, map(word()));
    let gentoo = gentoo.prop_map(|(name, mirrors, trust, make_conf)| {
        BaseOrigin::Gentoo(Stage3 {
            name,
            mirrors,
            trust,
            make_conf,
        })
    });
    prop_oneof![debian, gentoo]
}

fn checksums() -> impl Strategy<Value = Vec<Checksum>> + Clone {
    let one = "[0-9a-f]{64}".prop_map(|hex| Checksum::new(Algorithm::Sha256, &hex));
    let one = one.prop_map(|checksum| checksum.expect("64 digits are a SHA-256"));
    prop::collection::vec(one, 1..3)
}

fn bus() -> impl Strategy<Value = DiskBus> + Clone {
    prop_oneof![
        word().prop_map(DiskBus::Interface),
        word().prop_map(DiskBus::Device)
    ]
}

fn form() -> impl Strategy<Value = SourceForm> + Clone {
    prop_oneof![
        Just(SourceForm::Tarball),
        word().prop_map(|member| SourceForm::Deb { member })
    ]
}

fn by() -> impl Strategy<Value = FetchBy> + Clone {
    prop_oneof![
        Just(FetchBy::Family(FamilyName::Debian)),
        Just(FetchBy::Family(FamilyName::Gentoo)),
        Just(FetchBy::Http),
        git().prop_map(FetchBy::Git)
    ]
}

fn family() -> impl Strategy<Value = FamilyName> + Clone {
    prop_oneof![Just(FamilyName::Debian), Just(FamilyName::Gentoo)]
}

fn format() -> impl Strategy<Value = RootfsFormat> + Clone {
    prop_oneof![
        Just(RootfsFormat::Initramfs),
        Just(RootfsFormat::Ext2),
        Just(RootfsFormat::Tar)
    ]
}

fn method() -> impl Strategy<Value = LavaMethod> + Clone {
    prop_oneof![Just(LavaMethod::Qemu), Just(LavaMethod::UBoot)]
}

fn commands() -> impl Strategy<Value = LavaCommands> + Clone {
    prop_oneof![Just(LavaCommands::Ramdisk), Just(LavaCommands::Nfs)]
}

fn from() -> impl Strategy<Value = LavaTestFrom> + Clone {
    let git = (word(), word(), word());
    let git = git.prop_map(|(repository, revision, path)| LavaTestFrom::Git {
        repository,
        revision,
        path,
    });
    prop_oneof![words().prop_map(LavaTestFrom::Steps), git]
}

arbitrary! {
    file -> ProjectFile { path: word(), text: word(), latin1: prop::bool::ANY }
    patch -> Patch { file: file(), strip: 0..9_u8, of_series: prop::bool::ANY }
    git -> GitTree { commit: word(), tree: word(), depth: number(), urls: words() }
    fetch_file -> FetchFile {
        name: word(), size: maybe(number().prop_map(u64::from)), checksums: checksums(), urls: words(),
    }
    libraries -> Libraries { dir: word(), linker: word() }
    accelerate -> Accelerate { prefix: word(), native: abi(), emulated: abi(), libraries: libraries() }
    needs -> BoardNeeds { requires: predicate(), abi: maybe(abi()) }
    disk -> QemuDisk { root: word(), bus: bus() }
    machine -> QemuMachine {
        binary: word(), machine: words(), cpu: word(), memory_mb: number(), console: word(),
        dtb: word(), disk: maybe(disk()), nic: word(), args: words(), cmdline: word(),
    }
    fetch -> FetchSpec { by: by(), files: proptest::collection::vec(fetch_file(), 0..3) }
    source -> SourceSpec {
        form: form(), version: maybe(version()), patches: proptest::collection::vec(patch(), 0..3),
    }
    base -> BaseSpec { origin: base_origin(), keys: maybe(word()) }
    image -> ImageSpec {
        family: family(), packages: words(), settings: map(word()), keys: maybe(word()), user: word(), uid: number(), gid: number(),
    }
    kconfig -> KconfigSpec { kernel_arch: word(), make: map(word()), accelerate: maybe(accelerate()) }
    config -> ConfigSpec {
        kernel_arch: word(), make: map(word()), recipe: recipe(), fixups: map((strength(), value())),
        accelerate: maybe(accelerate()),
    }
    kernel -> KernelSpec {
        kernel_arch: word(), make: map(word()), image: word(), targets: words(), signing_key: maybe(word()), accelerate: maybe(accelerate()),
    }
    matching -> MatchSpec { matcher: number(), boards: map(needs()) }
    rootfs -> RootfsSpec {
        cc: word(), abi: abi(), init: word(), suite: maybe(word()), shell: maybe(word()), libc: maybe(word()), format: format(),
    }
    probe -> ProbeSpec { machine: machine(), version: maybe(word()), host: word(), limit_secs: number() }
    device -> LavaDevice {
        device_type: word(), tags: words(), labs: words(), method: method(), commands: commands(), kernel_type: word(), dtb: word(),
        modules: prop::bool::ANY, initrd: maybe(word()), context: map(word()),
    }
    test -> LavaTest { name: word(), from: from(), parameters: map(word()) }
    lava -> LavaSpec {
        device: device(), machine: maybe(machine()), tests: proptest::collection::vec(test(), 0..3),
        silence_secs: number(), total_secs: number(), judging: judging(),
    }
    judging -> Judging { fails_on: severity(), expects: words(), reports_tests: prop::bool::ANY }
    boot -> BootSpec {
        machine: machine(), version: maybe(word()), accel: accel(), silence_secs: number(), total_secs: number(), judging: judging(),
    }
}

/// All the laws for one spec and those that differ from it in one field.
fn hold(spec: &Spec, varied: impl Iterator<Item = Spec>) -> Result<(), TestCaseError> {
    let closed = Closed::from(spec.clone());
    for other in varied {
        let digest = Closed::from(other.clone()).digest();
        prop_assert_eq!(&other == spec, digest == closed.digest(), "{:?}", other);
    }
    prop_assert!(is_sorted(&spec.canonical()));
    let text = spec.canonical().to_string();
    prop_assert_eq!(closed.digest(), store::Digest::of(text.as_bytes()));
    let bytes = postcard::to_stdvec(&closed).unwrap();
    let back: Closed = postcard::from_bytes(&bytes).unwrap();
    prop_assert_eq!(back.spec(), spec);
    prop_assert_eq!(Closed::from(back.spec().clone()).digest(), closed.digest());
    Ok(())
}

/// Whether every object in it has its keys in order.
fn is_sorted(json: &Json) -> bool {
    match json {
        Json::Object(map) => map.keys().is_sorted() && map.values().all(is_sorted),
        Json::Array(items) => items.iter().all(is_sorted),
        _ => true,
    }
}

macro_rules! laws {
    ($($test:ident: $strategy:ident as $variant:ident),* $(,)?) => {
        proptest! {
            $(#[test]
            fn $test(spec in $strategy(), other in $strategy()) {
                let varied = spec.vary(&other).into_iter().map(Spec::$variant);
                hold(&Spec::$variant(spec.clone()), varied)?;
            })*
        }
    };
}

laws! {
    any_field_of_a_fetch_counts: fetch as Fetch,
    any_field_of_a_source_counts: source as Source,
    any_field_of_a_base_counts: base as Base,
    any_field_of_an_image_counts: image as Image,
    any_field_of_a_kconfig_counts: kconfig as Kconfig,
    any_field_of_a_config_counts: config as Config,
    any_field_of_a_kernel_counts: kernel as Kernel,
    any_field_of_a_match_counts: matching as Match,
    any_field_of_a_rootfs_counts: rootfs as Rootfs,
    any_field_of_a_probe_counts: probe as Probe,
    any_field_of_a_boot_counts: boot as Boot,
    any_field_of_a_lava_boot_counts: lava as Lava,
}
