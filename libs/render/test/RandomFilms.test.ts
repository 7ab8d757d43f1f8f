import { randomFilmTests } from "./RandomFilms.ts"

randomFilmTests({ films: 10, clips: 2 })
