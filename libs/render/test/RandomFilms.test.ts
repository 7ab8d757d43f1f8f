import { randomFilmTests } from "./RandomFilms.ts"

randomFilmTests({ films: 12, clips: 2 })
