import type { Family } from "@reelay/contracts/Export"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** The devices of a machine, as far as ffmpeg can be told to use one of them, and how much each of them carries. */
export interface Device {
  /** As ffmpeg names it. */
  readonly id: string
  /** For people. */
  readonly name: string
  readonly slots: number
}

export interface Gpu {
  readonly index: number
  readonly name: string
  readonly memoryMiB: number
}

/** `nvidia-smi --query-gpu=index,name,memory.total --format=csv,noheader,nounits` */
export const NVIDIA_QUERY = ["--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits"] as const
export const gpusIn = (text: string): ReadonlyArray<Gpu> =>
  text.split("\n").flatMap((line) => {
    const [index, name, memory] = line.split(",").map((part) => part.trim())
    return index === undefined || name === undefined || !/^\d+$/.test(index)
      ? []
      : [{ index: Number(index), name, memoryMiB: Number(memory) || 0 }]
  })

const INTEL = "0x8086"
/** Render nodes of a maker's graphics (its PCI number), from what the kernel says; none where it is not Linux. */
export const renderNodes = (maker = INTEL, drm = "/sys/class/drm"): ReadonlyArray<string> => {
  const read = <A>(what: () => A, otherwise: A): A => {
    try {
      return what()
    } catch {
      return otherwise
    }
  }
  return read(() => readdirSync(drm), [])
    .filter((name) => /^renderD\d+$/.test(name))
    .filter((name) => read(() => readFileSync(join(drm, name, "device", "vendor"), "utf8"), "").trim() === maker)
    .toSorted()
    .map((name) => `/dev/dri/${name}`)
}

/** An encode with its decoder holds about a gigabyte; two to a card keep it busy without meeting its session limit. */
const SLOTS_PER_GPU = 2
const MIB_PER_SLOT = 1024

/** AMF and VideoToolbox find their own. */
export const devicesOf = (
  family: Family,
  found: { readonly gpus: ReadonlyArray<Gpu>; readonly intel: ReadonlyArray<string> }
): ReadonlyArray<Device> => {
  if (family === "qsv") {
    return found.intel.map((node) => ({ id: node, name: node.replace("/dev/dri/", "Intel "), slots: SLOTS_PER_GPU }))
  }
  if (family !== "nvenc") return []
  return found.gpus.map(({ index, memoryMiB, name }) => ({
    id: String(index),
    name,
    slots: Math.max(1, Math.min(SLOTS_PER_GPU, Math.floor(memoryMiB / MIB_PER_SLOT)))
  }))
}

/**
 * Slots for video. Software chunks run with few threads each, so there is one for each core; hardware takes two to a device,
 * less where its memory is small.
 */
export const slotsFor = (best: Family | null, devices: ReadonlyArray<Device>, cores: number): number => {
  if (best === null || best === "software") return Math.max(1, cores)
  return devices.length === 0 ? SLOTS_PER_GPU : devices.reduce((sum, { slots }) => sum + slots, 0)
}

/** Which of them is the least busy, for what it carries; the first of equals. */
export const leastBusy = <D extends Pick<Device, "slots"> & { readonly busy: number }>(
  devices: ReadonlyArray<D>
): D | undefined => devices.toSorted((a, b) => a.busy / a.slots - b.busy / b.slots)[0]
