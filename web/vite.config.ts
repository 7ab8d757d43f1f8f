import { defineConfig } from "vite"
import solid from "vite-plugin-solid"

const api = process.env["REELAY_DEV_API"] ?? "http://127.0.0.1:8080"

export default defineConfig({
  root: import.meta.dirname,
  plugins: [solid()],
  build: { outDir: "dist", emptyOutDir: true, target: "es2022" },
  server: {
    host: "127.0.0.1",
    proxy: {
      "/api": { target: api, changeOrigin: true },
      "/ws": { target: api, ws: true, changeOrigin: true }
    }
  }
})
