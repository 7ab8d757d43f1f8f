import { dirname, isAbsolute, join } from "node:path"

/** What a confined program may touch. All paths absolute. */
export interface Reach {
  /** Files it reads. */
  readonly reads: ReadonlyArray<string>
  /** The one folder it writes. */
  readonly folder: string | null
  /** Whether it may talk to the graphics devices. */
  readonly devices: boolean
}

/** Every bind mount costs a little, and an argument list has an end: beyond this, the folder that holds them all. */
const MAX_BINDS = 200

/** The folders of a system that programs need to run at all: code, no data. */
const SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store"]
const SETTINGS = [
  "/etc/ld.so.cache",
  "/etc/ld.so.conf",
  "/etc/ld.so.conf.d",
  "/etc/alternatives",
  "/etc/fonts",
  "/var/cache/fontconfig",
  "/etc/OpenCL",
  "/etc/vulkan"
]
/** The most that one machine has. */
const CARDS = 16
const DEVICES = [
  "/dev/dri",
  ...Array.from({ length: CARDS }, (_, card) => `/dev/nvidia${card}`),
  "/dev/nvidiactl",
  "/dev/nvidia-uvm",
  "/dev/nvidia-uvm-tools",
  "/dev/kfd"
]

/** The deepest folder above all of them. */
export const commonFolder = (paths: ReadonlyArray<string>): string => {
  const [first, ...rest] = paths.map((path) => dirname(path).split("/"))
  if (first === undefined) return "/"
  let depth = first.length
  for (const parts of rest) {
    let same = 0
    while (same < depth && parts[same] === first[same]) same++
    depth = same
  }
  return first.slice(0, depth).join("/") || "/"
}

/**
 * bubblewrap's arguments: no network, no other processes, a root of the system's code only, the inputs read-only, the
 * one folder writable. Pure; `program` is where the executable really lies.
 */
export const confinement = (program: string, reach: Reach): ReadonlyArray<string> => {
  const args = ["--unshare-all", "--die-with-parent", "--cap-drop", "ALL", "--hostname", "reelay"]
  const bind = (mode: string, path: string) => args.push(mode, path, path)
  for (const path of SYSTEM) bind("--ro-bind-try", path)
  for (const path of SETTINGS) bind("--ro-bind-try", path)
  args.push("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp")
  if (isAbsolute(program) && !SYSTEM.some((path) => program.startsWith(`${path}/`))) {
    const folder = dirname(program)
    bind("--ro-bind-try", folder)
    bind("--ro-bind-try", join(dirname(folder), "lib"))
  }
  if (reach.devices) {
    for (const path of DEVICES) bind("--dev-bind-try", path)
    bind("--ro-bind-try", "/sys")
  }
  const reads = reach.folder === null ? reach.reads : reach.reads.filter((path) => !path.startsWith(`${reach.folder}/`))
  if (reads.length > MAX_BINDS) bind("--ro-bind", commonFolder(reads))
  else for (const path of new Set(reads)) bind("--ro-bind", path)
  if (reach.folder !== null) {
    bind("--bind", reach.folder)
    args.push("--chdir", reach.folder)
  }
  return [...args, "--"]
}
