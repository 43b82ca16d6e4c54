/** Good prose of about the least length that Gopher's rules take, by language; and source code. */
export const prose = {
  Chinese:
    '这座城市位于河流的北岸，历史可以追溯到很久以前。人们在这里建造房屋，开垦土地，并且与邻近的村庄进行贸易。后来，铁路修到了这里，工厂一座接一座地建立起来，人口迅速增加。今天，这里有许多学校、图书馆和医院，居民的生活十分方便。每年春天，公园里的花开得很漂亮，许多游客专程前来参观。',
  Japanese:
    'この町は川の北側にあり、長い歴史を持っています。昔の人々はここに家を建て、畑を耕し、近くの村と取引をしていました。その後、鉄道が通り、工場が次々と建てられ、人口が急速に増えました。',
  Thai: 'เมืองนี้ตั้งอยู่ทางฝั่งเหนือของแม่น้ำ มีประวัติศาสตร์ยาวนาน ผู้คนสร้างบ้านเรือน ทำไร่ทำนา และค้าขายกับหมู่บ้านใกล้เคียง ต่อมามีทางรถไฟมาถึง โรงงานหลายแห่งถูกสร้างขึ้น ประชากรเพิ่มขึ้นอย่างรวดเร็ว',
  Korean:
    '이 도시는 강의 북쪽에 자리 잡고 있으며 오랜 역사를 가지고 있다. 옛날 사람들은 이곳에 집을 짓고 밭을 일구었으며 이웃 마을과 물건을 사고팔았다. 그 뒤 철도가 놓이고 공장이 하나둘 세워지면서 인구가 빠르게 늘어났다. 오늘날에는 학교와 도서관 그리고 병원이 많아서 주민들의 생활이 매우 편리하다. 봄이 되면 공원에 꽃이 아름답게 피고 많은 관광객이 찾아온다.',
  German:
    'Die Stadt liegt am nördlichen Ufer des Flusses und hat eine lange Geschichte. Die Menschen bauten hier Häuser, bestellten das Land und handelten mit den Dörfern der Umgebung. Später kam die Eisenbahn, eine Fabrik nach der anderen wurde errichtet, und die Bevölkerung wuchs schnell. Heute gibt es viele Schulen, Bibliotheken und Krankenhäuser, und das Leben der Bewohner ist bequem.',
  Russian:
    'Город расположен на северном берегу реки и имеет долгую историю. Люди строили здесь дома, обрабатывали землю и торговали с соседними деревнями. Потом пришла железная дорога, один за другим строились заводы, и население быстро росло. Сегодня здесь много школ, библиотек и больниц, и жизнь жителей удобна. Весной в парке цветут цветы, и много гостей приезжает сюда, чтобы посмотреть на них и погулять по старым улицам города.',
  Spanish:
    'La ciudad se encuentra en la orilla norte del río y tiene una larga historia. La gente construyó aquí casas, cultivó la tierra y comerció con los pueblos vecinos. Más tarde llegó el ferrocarril, se levantó una fábrica tras otra y la población creció rápidamente. Hoy hay muchas escuelas, bibliotecas y hospitales, y la vida de los habitantes es cómoda.',
  Finnish:
    'Kaupunki sijaitsee joen pohjoisrannalla ja sillä on pitkä historia. Ihmiset rakensivat tänne taloja, viljelivät maata ja kävivät kauppaa naapurikylien kanssa. Myöhemmin rautatie saapui, tehtaita rakennettiin yksi toisensa jälkeen ja väestö kasvoi nopeasti. Nykyään täällä on monia kouluja, kirjastoja ja sairaaloita, ja asukkaiden elämä on mukavaa. Keväällä puiston kukat kukkivat kauniisti ja monet matkailijat tulevat varta vasten katsomaan niitä.',
  'source code': [
    'import os',
    'import sys',
    '',
    'def read_all(paths):',
    '    out = []',
    '    for p in paths:',
    '        with open(p) as f:',
    '            out.append(f.read())',
    '    return out',
    '',
    'class Node:',
    '    def __init__(self, key, value=None):',
    '        self.key = key',
    '        self.value = value',
    '        self.left = None',
    '',
    '    def insert(self, key, value):',
    '        if key < self.key:',
    '            self.left = Node(key, value)',
    '        else:',
    '            self.right.insert(key, value)',
    '',
    'def save(node, path):',
    '    with open(path, "w") as target:',
    '        target.write(str(node.value))',
  ].join('\n'),
}
