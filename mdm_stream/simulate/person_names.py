"""Given and family names of several cultures, most common first, and everyday short forms.

The lists name no real person: they are common words of public knowledge. Frequency falls with the rank in a list
(see :func:`zipf_weights`), which gives the blocks of a matching run their natural skew. ``share`` of a culture is
its part of the population.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

ZIPF_OFFSET = 6.0
ZIPF_EXPONENT = 0.9


def zipf_weights(count: int) -> tuple[float, ...]:
    """Return cumulative weights of ``count`` ranks by the Zipf-Mandelbrot law, for ``random.choices``."""
    return tuple(accumulate(1.0 / (rank + ZIPF_OFFSET) ** ZIPF_EXPONENT for rank in range(count)))


@dataclass(frozen=True, slots=True)
class Culture:
    """The names of one culture. ``double_family`` is the part of its people who carry two family names."""

    share: float
    men: tuple[str, ...]
    women: tuple[str, ...]
    family: tuple[str, ...]
    double_family: float = 0.0


def _split(text: str) -> tuple[str, ...]:
    return tuple(name.replace("_", " ") for name in text.split())


_ENGLISH = Culture(
    share=0.50,
    men=_split(
        """James John Robert Michael William David Richard Joseph Thomas Charles Christopher Daniel Matthew Anthony
        Mark Donald Steven Paul Andrew Joshua Kenneth Kevin Brian George Timothy Ronald Edward Jason Jeffrey Ryan
        Jacob Gary Nicholas Eric Jonathan Stephen Larry Justin Scott Brandon Benjamin Samuel Gregory Alexander
        Patrick Frank Raymond Jack Dennis Jerry Tyler Aaron Henry Douglas Peter Adam Nathan Zachary Walter Kyle
        Harold Carl Jeremy Gerald Keith Roger Arthur Terry Lawrence Sean Christian Albert Ethan Austin Joe Willie
        Jesse Ralph Roy Bryan Louis Philip Eugene Russell Vincent Bobby Johnny Logan Dylan Bruce Gabriel Alan Wayne
        Randy Howard Stuart Leonard Clifford Malcolm Desmond Nigel Graham Oliver Simon Callum Marcus Darnell
        Terrence Reginald Tyrone Jermaine Leroy Curtis Wesley Calvin Edwin Theodore Clarence Ernest Spencer"""
    ),
    women=_split(
        """Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Lisa Nancy Betty Margaret Sandra
        Ashley Kimberly Emily Donna Michelle Carol Amanda Dorothy Melissa Deborah Stephanie Rebecca Sharon Laura
        Cynthia Kathleen Amy Angela Shirley Anna Brenda Pamela Emma Nicole Helen Samantha Katherine Christine Debra
        Rachel Carolyn Janet Catherine Heather Diane Ruth Julie Olivia Joyce Virginia Victoria Kelly Lauren
        Christina Joan Evelyn Judith Megan Andrea Cheryl Hannah Jacqueline Martha Gloria Teresa Ann Sara Madison
        Frances Kathryn Janice Jean Abigail Alice Julia Judy Sophia Grace Denise Amber Doris Marilyn Danielle
        Beverly Isabella Theresa Diana Natalie Brittany Charlotte Marie Kayla Alexis Lori Tanisha Latoya Keisha
        Imani Ebony Harriet Bridget Eleanor Fiona Gillian Imogen Philippa Beatrice Rosemary Florence Matilda"""
    ),
    family=_split(
        """Smith Johnson Williams Brown Jones Miller Davis Wilson Anderson Thomas Taylor Moore Jackson Martin Lee
        Thompson White Harris Clark Lewis Robinson Walker Young Allen King Wright Scott Hill Green Adams Nelson Baker
        Hall Campbell Mitchell Carter Roberts Phillips Evans Turner Parker Collins Edwards Stewart Morris Murphy Cook
        Rogers Morgan Cooper Peterson Reed Bailey Bell Kelly Howard Ward Cox Richardson Wood Watson Brooks Bennett
        Gray Hughes Price Myers Long Foster Sanders Ross Powell Sullivan Russell Jenkins Perry Butler Barnes Fisher
        Henderson Coleman Simmons Patterson Jordan Reynolds Hamilton Graham Wallace West Cole Hayes Gibson Bryant
        Ellis Stevens Murray Ford Marshall Owens McDonald Harrison Kennedy Wells Woods Freeman Webb Tucker Burns
        Crawford Hunter Hicks Mason Gordon Shaw Warren Dixon Hunt Robertson Black Holmes Stone Boyd Mills Palmer
        Nichols Grant Knight Ferguson Rose Dunn Perkins Hudson Spencer Gardner Stephens Payne Pierce Berry Matthews
        Arnold Wagner Willis Ray Watkins Olson Carroll Duncan Snyder Hart Cunningham Bradley Lane Andrews Harper Fox
        Riley Armstrong Carpenter Weaver Greene Lawrence Elliott Sims Austin Peters Kelley Franklin Lawson Fields
        Ryan Schmidt Carr Wheeler Chapman Oliver Montgomery Richards Williamson Johnston Banks Meyer Bishop McCoy
        Howell Morrison Hansen Garrett Harvey Little Burton Stanley Nguyen-Hill George Jacobs Reid Fuller Lynch
        Gilbert Dean Fowler Carlson Byrd O'Brien O'Connor O'Neill MacLeod McKenzie Fitzgerald Gallagher Doyle
        Whitaker Blackwood Ashworth Pemberton Thistlewood Hargreaves Cavendish Birchall Oakley Winterbourne
        Hathaway Langford Redfern Sutcliffe Threlfall Wetherby Yardley"""
    ),
)

_HISPANIC = Culture(
    share=0.18,
    double_family=0.3,
    men=_split(
        """José Luis Juan Carlos Jesús Miguel Antonio Francisco Manuel Jorge Pedro Alejandro Fernando Rafael Roberto
        Ricardo Eduardo Javier Sergio Mario Ramón Diego Raúl Alberto Óscar Enrique Héctor Andrés Pablo Rubén Martín
        Víctor Arturo Hugo César Emilio Gustavo Ignacio Joaquín Salvador Adrián Mateo Santiago Tomás Ángel"""
    ),
    women=_split(
        """María Guadalupe Ana Rosa Carmen Juana Elena Isabel Teresa Lucía Sofía Gabriela Alejandra Patricia Claudia
        Verónica Adriana Silvia Leticia Mónica Daniela Yolanda Beatriz Mariana Valeria Camila Natalia Esperanza
        Dolores Josefina Margarita Luz Paula Ximena Inés Pilar Rocío Graciela Alicia Esther Catalina Lorena Marisol
        Consuelo Araceli"""
    ),
    family=_split(
        """García Rodríguez Martínez Hernández López González Pérez Sánchez Ramírez Torres Flores Rivera Gómez Díaz
        Cruz Morales Reyes Gutiérrez Ortiz Ramos Ruiz Álvarez Mendoza Castillo Jiménez Vásquez Romero Moreno Herrera
        Medina Aguilar Vargas Castro Guzmán Méndez Fernández Muñoz Salazar Garza Soto Vega Delgado Ríos Ortega
        Alvarado Contreras Guerrero Estrada Sandoval Maldonado Núñez Santos Espinoza Domínguez Padilla Cortez
        De_la_Cruz Acosta Fuentes Navarro Serrano Cabrera Campos Luna Ibarra Valdez Molina Zamora Ochoa Peña
        De_León Quintero Escobar Villarreal Figueroa Cárdenas Montoya Cisneros Zúñiga Barrera"""
    ),
)

_GERMANIC = Culture(
    share=0.08,
    men=_split(
        """Hans Klaus Jürgen Stefan Wolfgang Matthias Lukas Felix Maximilian Jonas Karl Dieter Uwe Günther Johannes
        Sebastian Tobias Erik Lars Sven Björn Anders Magnus Henrik Pieter Willem Jan Kees Joost Maarten Søren Mikkel"""
    ),
    women=_split(
        """Anna Ursula Monika Petra Sabine Claudia Heike Katharina Johanna Greta Ingrid Astrid Birgit Karin Annika
        Freya Sigrid Elsa Lena Marlene Franziska Hannelore Liesbeth Saskia Femke Maaike Annelies Kirsten Solveig
        Maren Ulrike Renate"""
    ),
    family=_split(
        """Müller Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter Klein Wolf
        Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Krause Lehmann Köhler
        Jansen De_Jong De_Vries Van_den_Berg Van_Dijk Bakker Visser Smit Van_der_Meer Hansen Johansson Andersson
        Karlsson Nilsson Larsen Sørensen Rasmussen Lindqvist Bergström Größ Weiß Jäger Vogel Friedrich Keller"""
    ),
)

_ROMANCE = Culture(
    share=0.06,
    men=_split(
        """Giuseppe Giovanni Antonio Marco Luca Matteo Francesco Alessandro Paolo Stefano Pierre Jean-Luc Michel André
        François Laurent Étienne Julien Olivier Mathieu João Paulo Rui Tiago Nuno Lorenzo Salvatore Domenico Enzo
        Jean-Pierre"""
    ),
    women=_split(
        """Maria Giulia Francesca Chiara Elena Valentina Silvia Lucia Isabelle Nathalie Sylvie Chantal Céline Amélie
        Camille Élodie Margaux Hélène Geneviève Ana Catarina Beatriz Inês Joana Marta Rosa Carmela Concetta Ornella
        Anne-Marie"""
    ),
    family=_split(
        """Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Bruno Gallo Conti De_Luca Costa
        Giordano Mancini Rizzo Lombardi Moretti Dubois Durand Leroy Moreau Lefebvre Girard Bonnet Fontaine Rousseau
        Lambert Silva Santos Ferreira Pereira Oliveira Costa Rodrigues Martins Sousa Fernandes Gonçalves D'Angelo
        D'Amico Dell'Aquila Beaulieu Delacroix"""
    ),
)

_SLAVIC = Culture(
    share=0.05,
    men=_split(
        """Piotr Krzysztof Andrzej Tomasz Paweł Marcin Łukasz Michał Jakub Wojciech Ivan Dmitri Sergei Alexei Nikolai
        Mikhail Oleg Andrei Bohdan Taras Milan Zoran Dragan Nikola Marek Tomáš Jiří Pavel Ondřej"""
    ),
    women=_split(
        """Anna Katarzyna Małgorzata Agnieszka Barbara Ewa Magdalena Joanna Natalia Olga Tatiana Irina Svetlana
        Ekaterina Oksana Halyna Jelena Milica Zuzana Lenka Jana Petra Martina Ivana Danuta Zofia Alicja"""
    ),
    family=_split(
        """Nowak Kowalski Wiśniewski Wójcik Kowalczyk Kamiński Lewandowski Zieliński Szymański Woźniak Dąbrowski
        Kozłowski Jankowski Mazur Krawczyk Ivanov Petrov Sidorov Volkov Sokolov Popov Shevchenko Kovalenko Bondarenko
        Tkachenko Novák Svoboda Dvořák Horváth Jovanović Petrović Nikolić Marković Kovačević"""
    ),
)

_SOUTH_ASIAN = Culture(
    share=0.05,
    men=_split(
        """Raj Amit Sanjay Vijay Rahul Arjun Rohan Anil Sunil Deepak Ravi Suresh Ramesh Vikram Arun Nikhil Karthik
        Imran Bilal Usman Farhan Tariq Kabir Harpreet Gurpreet Manjit"""
    ),
    women=_split(
        """Priya Anjali Neha Pooja Sunita Kavita Lakshmi Deepa Meera Asha Divya Shreya Ananya Nisha Rani Fatima Ayesha
        Sana Zainab Nadia Simran Jaspreet Kiran Lata Radha"""
    ),
    family=_split(
        """Patel Singh Sharma Kumar Shah Gupta Khan Reddy Rao Desai Mehta Joshi Nair Iyer Verma Mishra Agarwal Chopra
        Kapoor Malhotra Bhatt Pillai Menon Chaudhary Ahmed Hussain Malik Qureshi Siddiqui Banerjee Chatterjee
        Mukherjee Das Ghosh Kaur Gill Dhillon Subramanian Krishnamurthy Venkataraman"""
    ),
)

_EAST_ASIAN = Culture(
    share=0.05,
    men=_split(
        """Wei Jian Ming Hao Jun Lei Feng Bo Tao Minh Tuan Hung Duc Long Quang Min-jun Ji-hoon Sung-ho Hyun-woo
        Hiroshi Kenji Takashi Haruto Ren Daisuke Xiaoming Zhiyuan"""
    ),
    women=_split(
        """Li Mei Xiu Ying Yan Fang Jing Hui Na Lan Hoa Linh Thu Huong Ngoc Soo-jin Ji-woo Min-seo Eun-ji Yuki Sakura
        Aiko Naoko Hana Xiaoli Meiling"""
    ),
    family=_split(
        """Nguyen Wang Li Zhang Liu Chen Yang Huang Zhao Wu Zhou Xu Sun Ma Zhu Hu Lin Guo Tran Le Pham Huynh Hoang Vu
        Vo Dang Bui Do Ngo Kim Park Choi Jung Kang Cho Yoon Jang Tanaka Suzuki Sato Watanabe Yamamoto Nakamura
        Kobayashi Takahashi Ouyang"""
    ),
)

_ARABIC_AFRICAN = Culture(
    share=0.03,
    men=_split(
        """Mohammed Ahmed Ali Omar Hassan Ibrahim Yusuf Khalid Abdullah Mustafa Karim Samir Chinedu Emeka Oluwaseun
        Tunde Kwame Kofi Abebe Dawit Sekou Mamadou"""
    ),
    women=_split(
        """Fatima Aisha Mariam Layla Noor Amina Yasmin Zahra Salma Rania Huda Ngozi Chioma Adaeze Folake Yetunde Ama
        Akosua Tigist Makeda Aminata Fatou"""
    ),
    family=_split(
        """Mohamed Hassan Ali Ibrahim Al-Hassan Al-Rashid El-Sayed Mansour Haddad Khoury Nasser Saleh Abdullah Osman
        Okafor Okonkwo Adeyemi Adebayo Eze Balogun Mensah Owusu Boateng Asante Tesfaye Bekele Diallo Traoré Keita"""
    ),
)

CULTURES: tuple[Culture, ...] = (
    _ENGLISH,
    _HISPANIC,
    _GERMANIC,
    _ROMANCE,
    _SLAVIC,
    _SOUTH_ASIAN,
    _EAST_ASIAN,
    _ARABIC_AFRICAN,
)

SHORT_FORMS: dict[str, tuple[str, ...]] = {
    line.split(":")[0]: tuple(line.split(":")[1].split(","))
    for line in _split(
        """James:Jim,Jimmy,Jamie John:Jack,Johnny Robert:Bob,Rob,Bobby Michael:Mike,Mick William:Bill,Will,Billy
    David:Dave Richard:Rick,Dick,Rich Joseph:Joe,Joey Thomas:Tom,Tommy Charles:Charlie,Chuck Christopher:Chris
    Daniel:Dan,Danny Matthew:Matt Anthony:Tony Donald:Don Steven:Steve Stephen:Steve Andrew:Andy,Drew Joshua:Josh
    Kenneth:Ken Timothy:Tim Ronald:Ron Edward:Ed,Ted,Eddie Jeffrey:Jeff Jacob:Jake Nicholas:Nick Jonathan:Jon
    Lawrence:Larry Benjamin:Ben Samuel:Sam Gregory:Greg Alexander:Alex Patrick:Pat,Paddy Raymond:Ray Dennis:Denny
    Henry:Harry,Hank Douglas:Doug Peter:Pete Nathan:Nate Zachary:Zach Walter:Walt Gerald:Gerry Arthur:Art
    Albert:Al,Bert Philip:Phil Eugene:Gene Russell:Russ Vincent:Vince Leonard:Len,Lenny Theodore:Ted,Theo
    Patricia:Pat,Patty,Tricia Jennifer:Jen,Jenny Elizabeth:Liz,Beth,Betty,Lizzie Barbara:Barb Susan:Sue,Susie
    Jessica:Jess Margaret:Maggie,Peggy,Meg Kimberly:Kim Michelle:Shelly Amanda:Mandy Dorothy:Dot,Dottie Melissa:Missy
    Deborah:Deb,Debbie Debra:Deb,Debbie Stephanie:Steph Rebecca:Becky,Becca Cynthia:Cindy Kathleen:Kathy Angela:Angie
    Pamela:Pam Samantha:Sam Katherine:Kate,Kathy,Katie Kathryn:Kate,Kathy Catherine:Cathy,Kate Christine:Chris,Tina
    Christina:Chris,Tina Victoria:Vicky Virginia:Ginny Jacqueline:Jackie Theresa:Terry Teresa:Terry Abigail:Abby
    Judith:Judy Eleanor:Ellie,Nell Charlotte:Lottie Francisco:Paco,Frank José:Pepe Guadalupe:Lupe Alejandro:Alex
    Eduardo:Eddie Maximilian:Max Johannes:Hans Sebastian:Seb Katharina:Kathi Giuseppe:Beppe Alessandro:Sandro
    Francesca:Franca Katarzyna:Kasia Małgorzata:Gosia Dmitri:Dima Mikhail:Misha Mohammed:Mo"""
    )
}
