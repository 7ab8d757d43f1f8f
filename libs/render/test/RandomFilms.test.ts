import { randomFilmTests } from "./RandomFilms.ts"

randomFilmTests({ films: 24, clips: 2 })
