import { defineConfig } from "vite"
import solid from "vite-plugin-solid"

/** Where the api runs that a development server's page talks to. */
const api = process.env["REELAY_DEV_API"] ?? "http://127.0.0.1:8080"
/** The embedded api hears only pages of its own: to it, this one is. */
const proxied = { target: api, changeOrigin: true, headers: { origin: api } }

export default defineConfig({
  root: import.meta.dirname,
  plugins: [solid()],
  build: { outDir: "dist", emptyOutDir: true, target: "es2022" },
  server: { host: "127.0.0.1", proxy: { "/api": proxied, "/ws": { ...proxied, ws: true } } }
})
