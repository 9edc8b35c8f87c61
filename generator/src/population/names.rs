//! Brazilian names, and their form in e-mail addresses.

pub(super) const GIVEN: [&str; 40] = [
    "Ana",
    "Antônio",
    "Beatriz",
    "Bruno",
    "Camila",
    "Carlos",
    "Cecília",
    "Daniel",
    "Débora",
    "Eduardo",
    "Fernanda",
    "Flávio",
    "Gabriel",
    "Gustavo",
    "Helena",
    "Heitor",
    "Isabela",
    "João",
    "José",
    "Júlia",
    "Larissa",
    "Letícia",
    "Lucas",
    "Luís",
    "Manuela",
    "Marcos",
    "Maria",
    "Mariana",
    "Mateus",
    "Natália",
    "Otávio",
    "Patrícia",
    "Paulo",
    "Rafaela",
    "Renato",
    "Rodrigo",
    "Sônia",
    "Thiago",
    "Vinícius",
    "Yasmin",
];

pub(super) const FAMILY: [&str; 40] = [
    "Almeida",
    "Alves",
    "Andrade",
    "Araújo",
    "Barbosa",
    "Barros",
    "Batista",
    "Cardoso",
    "Carvalho",
    "Castro",
    "Conceição",
    "Correia",
    "Costa",
    "Dias",
    "Fernandes",
    "Ferreira",
    "Freitas",
    "Gomes",
    "Gonçalves",
    "Lima",
    "Lopes",
    "Machado",
    "Marques",
    "Martins",
    "Mendes",
    "Monteiro",
    "Moreira",
    "Nascimento",
    "Nunes",
    "Oliveira",
    "Pereira",
    "Ribeiro",
    "Rocha",
    "Rodrigues",
    "Santana",
    "Santos",
    "Silva",
    "Souza",
    "Teixeira",
    "Vieira",
];

/// Lower case without accents, for addresses.
pub(super) fn plain(name: &str) -> String {
    name.to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            'á' | 'â' | 'ã' | 'à' => Some('a'),
            'é' | 'ê' => Some('e'),
            'í' => Some('i'),
            'ó' | 'ô' | 'õ' => Some('o'),
            'ú' => Some('u'),
            'ç' => Some('c'),
            other => other.is_ascii_alphanumeric().then_some(other),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_becomes_plain_letters() {
        for name in GIVEN.iter().chain(&FAMILY) {
            assert_eq!(plain(name).len(), name.chars().count(), "{name}");
        }
    }
}
